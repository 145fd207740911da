import { type Clock, systemClock } from "@grpc-lb/core";
import type { SourceStats, TargetScheme } from "@grpc-lb/discovery";
import type { ConsulCredentials } from "@grpc-lb/discovery/consul";
import type { EtcdCredentials } from "@grpc-lb/discovery/etcd";
import type { ApiAccess, ServiceAccess } from "@grpc-lb/discovery/kubernetes";
import { requireSupportedGrpc } from "./grpc-js.ts";
import { warnOfProxy } from "./http-proxy.ts";
import { nothingDone, registerKubernetesResolver } from "./kubernetes.ts";
import { LazySource } from "./lazy-source.ts";
import { type SourceSurroundings, schemes } from "./schemes.ts";
import { registerTargetScheme } from "./target-scheme.ts";
import { sayOnce, type Warn, warnOnce } from "./warn.ts";

/** How targets are resolved. What a target says itself stands in no option. */
export interface ResolversOptions {
  readonly kubernetes?: {
    /** How to reach the API server. Default: the pod's service account, else the kubeconfig's current context. */
    readonly access?: ApiAccess;
    /** Which address of a dual-stack pod comes first. Default: IPv4. */
    readonly preferredFamily?: "IPv4" | "IPv6";
  };
  readonly etcd?: {
    /** Default: what the environment says, see `@grpc-lb/discovery/etcd`. */
    readonly credentials?: EtcdCredentials;
  };
  readonly consul?: {
    /** Default: what the environment says, see `@grpc-lb/discovery/consul`. */
    readonly credentials?: ConsulCredentials;
  };
  /** Takes what a person should act on: denied rights, a service config that is ignored, a sidecar, a proxy; each message once. Default: a Node warning. */
  readonly warn?: Warn;
  /** That all channels have `grpc.enable_http_proxy: 0`, so that a proxy in the environment is not worth a warning. Default: false. */
  readonly isProxyDisabled?: boolean;
  readonly clock?: Clock;
}

/** What is known of a target that is in use. */
export interface ResolvedTargetStats extends SourceStats {
  readonly scheme: TargetScheme;
  /** As the first channel that uses it wrote it; for kubernetes `namespace/service:port`. */
  readonly target: string;
  readonly channels: number;
  readonly endpoints: number;
  /** What is wrong now; undefined when nothing is. */
  readonly error: string | undefined;
  /** For kubernetes: whether the Service itself could be read. */
  readonly serviceAccess?: ServiceAccess | undefined;
}

/** A view of what is resolved. */
export interface Resolvers {
  /** One entry for each target that a channel uses now. */
  stats(): ResolvedTargetStats[];
}

/**
 * Makes grpc-js resolve the targets of every scheme that `parseTarget` reads: kubernetes, etcd, consul, dns-poll, static and file.
 * What a scheme needs is loaded with the first channel that uses one of its targets. However many channels have the same
 * target, there is one watch; it ends with the last of them.
 *
 * For the rest it is as with `registerKubernetesResolver`, which it includes: `round_robin` unless somebody chose, keepalive, the
 * last good endpoints through any failure of a source, and a second call is for channels that are made after it.
 *
 * @returns a view of what is resolved, for metrics
 * @throws Error when this version of grpc-js is not supported
 */
export function registerResolvers(options: ResolversOptions = {}): Resolvers {
  return registerResolversIn(options, process.env);
}

/** The same in any environment. */
export function registerResolversIn(options: ResolversOptions, env: NodeJS.ProcessEnv): Resolvers {
  requireSupportedGrpc();
  const { clock = systemClock } = options;
  const warn = options.warn ? sayOnce(options.warn) : warnOnce;
  const kubernetes = registerKubernetesResolver({ ...options.kubernetes, warn, clock, isProxyDisabled: true });
  const surroundings: SourceSurroundings = {
    clock,
    etcdCredentials: options.etcd?.credentials,
    consulCredentials: options.consul?.credentials,
  };
  const names = Object.keys(schemes) as (keyof typeof schemes)[];
  const registered = names.map((scheme) => ({ scheme, sources: register(scheme, warn, surroundings) }));
  const proxy = warnOfProxy(env, ["kubernetes", ...names]);
  if (proxy !== undefined && !options.isProxyDisabled) warn(proxy);
  return {
    stats: () => [
      ...kubernetes.stats().map((stats) => ({ scheme: "kubernetes" as const, ...stats })),
      ...registered.flatMap(({ scheme, sources }) =>
        sources.inUse.map(([, { source, latest, subscribers }]) => ({
          scheme,
          target: source.subject,
          channels: subscribers,
          endpoints: latest?.endpoints?.length ?? 0,
          error: latest?.error?.message,
          ...(source.stats ?? nothingDone),
        })),
      ),
    ],
  };
}

function register<N extends keyof typeof schemes>(scheme: N, warn: Warn, surroundings: SourceSurroundings) {
  const { load, authorityOf } = schemes[scheme];
  return registerTargetScheme<N, LazySource>({
    scheme,
    clock: surroundings.clock,
    warn,
    keyOf: (target) => JSON.stringify(target),
    create: (target, text) => new LazySource(text, () => load(target, surroundings)),
    authorityOf,
  });
}
