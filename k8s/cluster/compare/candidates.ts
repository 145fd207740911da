import { type Strategy, strategies } from "../strategy.ts";

/** A strategy that can be compared: those of kube-deploy, and Istio's sidecars over `clusterip`. */
export const candidates = [...strategies, "istio"] as const;
export type Candidate = (typeof candidates)[number];

/** How a strategy is measured, and what must come out besides its verdict. */
export interface Plan {
  /** What kube-deploy deploys. */
  readonly manifests: Strategy;
  /** How many calls are judged. */
  readonly calls: number;
  /** How long to wait for the first call on a new pod. */
  readonly newPodLimitMs: number;
  /** Whether a new pod must get a call within that time. Undefined if both are right. */
  readonly reachesNewPods: boolean | undefined;
  /** Whether no call may fail in a rolling restart of the server. */
  readonly survivesRestart: boolean;
}

const watching: Omit<Plan, "manifests"> = {
  calls: 150,
  newPodLimitMs: 15_000,
  reachesNewPods: true,
  survivesRestart: true,
};
/**
 * Where the cluster's DNS caches the records of the headless Service, for up to 30 s, all addresses that are known can be those of pods
 * that are gone.
 */
const resolving: Omit<Plan, "manifests"> = {
  calls: 150,
  newPodLimitMs: 40_000,
  reachesNewPods: true,
  survivesRestart: false,
};
/** One connection, to one pod. */
const connected: Omit<Plan, "manifests"> = {
  calls: 150,
  newPodLimitMs: 10_000,
  reachesNewPods: false,
  survivesRestart: true,
};

const plans: Readonly<Record<Candidate, Omit<Plan, "manifests">>> = {
  clusterip: connected,
  // Enough calls for some connections.
  "max-age": { calls: 400, newPodLimitMs: 40_000, reachesNewPods: undefined, survivesRestart: true },
  // grpc-js resolves again only when a connection breaks.
  "headless-dns": { ...resolving, newPodLimitMs: 10_000, reachesNewPods: undefined },
  resolver: watching,
  etcd: watching,
  consul: watching,
  envoy: resolving,
  nginx: resolving,
  haproxy: resolving,
  "host-proxy": resolving,
  nodeport: connected,
  loadbalancer: connected,
  lookaside: watching,
  xds: watching,
  "envoy-xds": watching,
  istio: watching,
};

/** The plan of a strategy. */
export function planOf(candidate: Candidate): Plan {
  return { manifests: candidate === "istio" ? "clusterip" : candidate, ...plans[candidate] };
}
