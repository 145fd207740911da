import type { ApiObject } from "@grpc-lb/discovery/kubernetes/api";

/** A pod of the API, checked: what cannot be read is empty. https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/ */
export interface Pod extends ApiObject {
  /** The label `app`, which is also the name of its container. */
  readonly app: string;
  readonly node: string;
  readonly zone: string;
  /** As text it sorts by time. */
  readonly createdAt: string;
  readonly isReady: boolean;
  readonly isTerminating: boolean;
  readonly hasEnded: boolean;
  readonly restarts: number;
  /** Why its container has no log yet; empty once it has started. */
  readonly starting: string;
}

type Fields = Readonly<Record<string, unknown>>;

const noFields: Fields = {};
const fieldsOf = (value: unknown) => (typeof value === "object" && value !== null ? (value as Fields) : noFields);
const listOf = (value: unknown): readonly Fields[] => (Array.isArray(value) ? value.map(fieldsOf) : []);
/** No name in the API is longer. */
const textOf = (value: unknown) => (typeof value === "string" ? value.slice(0, 253) : "");

/** Never throws. */
export function readPod(value: unknown): Pod {
  const { metadata, spec, status } = fieldsOf(value);
  const { name, labels, resourceVersion, creationTimestamp, deletionTimestamp } = fieldsOf(metadata);
  const { phase, conditions, containerStatuses } = fieldsOf(status);
  const app = textOf(fieldsOf(labels).app);
  const container = listOf(containerStatuses).find((each) => each.name === app);
  const restarts = Number(container?.restartCount) || 0;
  const waiting = textOf(fieldsOf(fieldsOf(container?.state).waiting).reason);
  const starting = container === undefined ? textOf(phase) || "Pending" : waiting;
  return {
    name: textOf(name),
    resourceVersion: textOf(resourceVersion) || undefined,
    defect: textOf(name) === "" ? "a pod must have a name" : undefined,
    app,
    node: textOf(fieldsOf(spec).nodeName),
    zone: textOf(fieldsOf(labels)["topology.kubernetes.io/zone"]),
    createdAt: textOf(creationTimestamp),
    isReady: listOf(conditions).some((each) => each.type === "Ready" && each.status === "True"),
    isTerminating: deletionTimestamp !== undefined,
    hasEnded: phase === "Succeeded" || phase === "Failed",
    restarts,
    starting: restarts > 0 ? "" : starting,
  };
}

/** A server's pod as the page has it. */
export interface ServerPod {
  readonly pod: string;
  readonly state: "added" | "ready" | "unready" | "draining" | "gone";
  readonly node: string;
  readonly zone: string;
}

/** @param before the pod as it was: one that was ready and is not any more is not a new one */
export function describeServer(pod: Pod, before: ServerPod | undefined): ServerPod {
  const waiting = before === undefined || before.state === "added" ? "added" : "unready";
  const running = pod.isTerminating ? "draining" : pod.isReady ? "ready" : waiting;
  return { pod: pod.name, state: pod.hasEnded ? "gone" : running, node: pod.node, zone: pod.zone };
}

/** The newest started pod of a client that is not terminating; without one, the newest that is starting. */
export function chooseClient(pods: Iterable<Pod>, client: string): Pod | undefined {
  const found = [...pods].filter(({ app, isTerminating }) => app === client && !isTerminating);
  found.sort((a, b) => (a.createdAt < b.createdAt ? 1 : -1));
  return found.find(({ starting }) => starting === "") ?? found[0];
}
