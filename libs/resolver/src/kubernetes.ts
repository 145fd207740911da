import { type Clock, systemClock } from "@grpc-lb/core";
import type { KubernetesTarget, Source } from "@grpc-lb/discovery";
import {
  type ApiAccess,
  createKubernetesSource,
  type FeedStats,
  isInCluster,
  type KubernetesSource,
  type KubernetesSourceOptions,
} from "@grpc-lb/discovery/kubernetes";
import { requireSupportedGrpc, warnOfCopies } from "./grpc-js.ts";
import { warnOfProxy } from "./http-proxy.ts";
import { findSidecar } from "./sidecar.ts";
import { authorityOfText, registerTargetScheme } from "./target-scheme.ts";
import { sayOnce, type Warn, warnOnce } from "./warn.ts";

/** How `kubernetes:` targets are resolved. */
export interface KubernetesResolverOptions {
  /** How to reach the API server. Default: the pod's service account, else the kubeconfig's current context. */
  readonly access?: ApiAccess;
  /** Which address of a dual-stack pod comes first. Default: IPv4. */
  readonly preferredFamily?: "IPv4" | "IPv6";
  /**
   * Takes what a person should act on: denied rights, a service config that is ignored, a sidecar, a proxy; each message once.
   * What it throws becomes a Node warning. Default: a Node warning.
   */
  readonly warn?: Warn;
  /** That all channels have `grpc.enable_http_proxy: 0`, so that a proxy in the environment is not worth a warning. Default: false. */
  readonly isProxyDisabled?: boolean;
  readonly clock?: Clock;
}

/** What is known of a target that is in use. */
export interface TargetStats extends FeedStats {
  /** `namespace/service:port`, as far as the target says them. */
  readonly target: string;
  readonly channels: number;
  readonly endpoints: number;
  /** What is wrong now; undefined when nothing is. */
  readonly error: string | undefined;
}

/** A view of what is resolved. */
export interface KubernetesResolver {
  /**
   * One entry for each target that a channel uses now. `lists`, `watches`, `errors` and `lastSyncAgeMs` are the service's:
   * targets that differ in nothing but the port share a watch, and have the same ones.
   */
  stats(): TargetStats[];
}

/**
 * Makes grpc-js resolve `kubernetes:` targets (see `parseTarget` for their grammar) by watching EndpointSlices; to be called
 * once, before the first such channel. A second call replaces the options for channels that are made after it; those made
 * before keep theirs, and each call's view shows the channels that were made under its options, none other.
 *
 * Channels get `round_robin` unless whoever made them chose a policy, and keepalive every 305 s with 20 s for the answer
 * unless they set `grpc.keepalive_time_ms` or `grpc.keepalive_timeout_ms`. A proxy in the environment is warned of: grpc-js
 * gives it whole targets, resolver and all, from channels without `grpc.enable_http_proxy: 0`.
 *
 * @returns a view of what is resolved, for metrics
 * @throws Error when this version of grpc-js is not supported
 */
export function registerKubernetesResolver(options: KubernetesResolverOptions = {}): KubernetesResolver {
  return registerKubernetesScheme(options, createKubernetesSource);
}

type CreateSource = (options: KubernetesSourceOptions) => Source & Pick<KubernetesSource, "stats">;

/** What this process stands in: tests have their own. */
export interface Surroundings {
  readonly env: NodeJS.ProcessEnv;
  findSidecar(): Promise<string | undefined>;
}

/** Of a source that has not begun. */
export const nothingDone: FeedStats = {
  lastSyncAgeMs: undefined,
  lists: 0,
  watches: 0,
  events: 0,
  errors: { notFound: 0, invalid: 0, permissionDenied: 0, unavailable: 0, portNotFound: 0 },
};

/** The same over any sources, anywhere. */
export function registerKubernetesScheme(
  options: KubernetesResolverOptions,
  create: CreateSource,
  { env, findSidecar: find }: Surroundings = { env: process.env, findSidecar },
): KubernetesResolver {
  requireSupportedGrpc();
  const { clock = systemClock, access, preferredFamily } = options;
  const warn = options.warn ? sayOnce(options.warn) : warnOnce;
  let hasLookedForSidecar = false;
  const sources = registerTargetScheme<"kubernetes", ReturnType<CreateSource>>({
    scheme: "kubernetes",
    clock,
    warn,
    configName: "annotation grpc-lb.dev/service-config",
    keyOf: ({ service, namespace, port }) =>
      (namespace === undefined ? service : `${namespace}/${service}`) + (port === undefined ? "" : `:${port}`),
    create: ({ service, namespace, port }) =>
      create({
        service,
        clock,
        background: true, // grpc-js keeps the process alive for the calls that wait
        ...(namespace !== undefined && { namespace }),
        ...(port !== undefined && { port }),
        ...(access && { access }),
        ...(preferredFamily && { preferredFamily }),
      }),
    authorityOf: nameOf,
    whyNoServiceConfig: ({ stats }, { subject }) =>
      stats?.serviceAccess === "permissionDenied" ? deniedWarning(subject) : undefined,
    onChannel(target) {
      if (hasLookedForSidecar || !isInCluster(env)) return;
      hasLookedForSidecar = true;
      void find().then((mesh) => mesh && warn(sidecarWarning(mesh, target)));
    },
  });
  const proxy = warnOfProxy(env);
  if (proxy !== undefined && !options.isProxyDisabled) warn(proxy);
  const copies = warnOfCopies();
  if (copies !== undefined) warn(copies);

  return {
    stats: () =>
      sources.inUse.map(([target, { source, latest, subscribers }]) => ({
        target,
        channels: subscribers,
        endpoints: latest?.endpoints?.length ?? 0,
        error: latest?.error?.message,
        ...(source.stats ?? nothingDone),
      })),
  };
}

/**
 * The name for `:authority` and for TLS: `service.namespace`, with the port when it is a number. A port's name would be no
 * valid authority. Of a target without a namespace it is the service alone, be it in a pod or outside, though a pod could
 * look its namespace up: a name that certificates are checked against must not depend on where the client runs.
 */
export function authorityOf(target: string): string {
  return authorityOfText(target, "kubernetes", nameOf);
}

function nameOf({ service, namespace, port }: KubernetesTarget): string {
  const host = namespace === undefined ? service : `${service}.${namespace}`;
  return port !== undefined && /^\d+$/.test(port) ? `${host}:${port}` : host;
}

/** As calls do not fail for it, nobody would know. */
function deniedWarning(subject: string): string {
  return (
    `kubernetes: get ${subject}: denied; calls go on, without its annotation grpc-lb.dev/service-config and without its own ` +
    'port numbers; give the Role "services: get", or the channels grpc.service_config'
  );
}

function sidecarWarning(mesh: string, target: string): string {
  return (
    `${target}: ${mesh} has a sidecar in this pod, which does not balance calls to pod addresses and may refuse them under ` +
    "strict mTLS; with a mesh, dial the Service: dns:///service:port"
  );
}
