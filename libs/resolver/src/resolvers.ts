import type { ChannelOptions } from "@grpc/grpc-js";
import { type Context, checkOptions, describeType, type OptionRules, systemClock } from "@grpc-lb/core";
import {
  createSource,
  type Endpoint,
  parseTarget,
  type Source,
  type SourceOptions,
  type SourceStats,
  targetSchemes,
} from "@grpc-lb/discovery";
import { DiscoveryResolver, type DiscoveryResolverOptions } from "./discovery-resolver.ts";
import { describeProxy, describeSidecar, findSidecar } from "./environment.ts";
import {
  createRegistered,
  type GrpcUri,
  isSupportedGrpc,
  type ResolverConstructor,
  type ResolverListener,
  recordRegistration,
  registerScheme,
  requireSupportedGrpc,
  targetText,
} from "./grpc-js.ts";
import { type CreateSource, checkedSource, ownAuthority, recordOwnScheme, requireOwnSchemes } from "./own-schemes.ts";
import { authorityOf, schemes } from "./schemes.ts";
import { dedupeWarnings, type Warn, warnOnce } from "./warn.ts";

/** How targets are resolved, beyond what a target contains. */
export interface ResolversOptions extends Pick<SourceOptions, "kubernetes" | "etcd" | "consul" | "xds"> {
  /**
   * Sources of your own, by the scheme of their targets: `{ inventory: (target) => createInventorySource(target) }` makes channels
   * resolve `inventory:///server`. Schemes of an earlier call stay. Default: none.
   */
  readonly sources?: Readonly<Record<string, CreateSource>> | undefined;
  /**
   * Receives what an operator should act on: denied rights, a service config that does not count, a sidecar, a proxy; each
   * message once. What it throws becomes a Node warning. Default: a Node warning.
   */
  readonly warn?: Warn | undefined;
  /**
   * Whether to warn of a proxy in the environment, which grpc-js sends the calls of some targets to. It changes nothing else: set it to
   * false where all channels have the option `grpc.enable_http_proxy: 0`. Default: true.
   */
  readonly warnOfProxy?: boolean | undefined;
}

/** What is known of a target that is in use. */
export interface ResolvedTargetStats extends SourceStats {
  /** `kubernetes`. */
  readonly scheme: string;
  /** As the first channel that uses it wrote it. */
  readonly target: string;
  readonly channels: number;
  readonly endpoints: number;
  /** What is wrong now; undefined when nothing is. */
  readonly error: string | undefined;
}

/** A view of what is resolved. */
export interface Resolvers {
  /** One entry for each target that a channel which was made under this registration uses now. */
  stats(): ResolvedTargetStats[];
  /**
   * Finds the endpoint that took a call, such as the pod, by the text that `call.getPeer()` returns once the call is on a connection:
   * `10.0.0.1:50051`. It also finds an endpoint that has left lately.
   *
   * @param target where channels of several targets may have the same address: the channel's target, as it was written
   * @returns undefined for a peer that no channel of this registration has, and for a call that was not sent
   * @throws TypeError for another type, such as a call
   */
  findEndpoint(peer: string, target?: string): Endpoint | undefined;
}

const optionRules: OptionRules = {
  ...{ kubernetes: "object", etcd: "object", consul: "object", xds: "object", sources: "object" },
  ...{ warn: "function", warnOfProxy: "boolean" },
};

/** What resolvers depend on in their process; tests have their own. */
export interface ResolversContext extends Pick<Context, "clock"> {
  readonly env: NodeJS.ProcessEnv;
  findSidecar(): Promise<string | undefined>;
  createSource(target: string, options: SourceOptions): Source;
}

/**
 * Makes grpc-js resolve the targets of every scheme that `parseTarget` reads: kubernetes, etcd, consul, dns-poll, static,
 * file and xds (unless @grpc/grpc-js-xds has registered that before); to be called once, before the first such channel. What a scheme needs is loaded with the first channel that uses one of
 * its targets. All channels of the same target share one run of its source, which ends with the last of them.
 *
 * Channels use `round_robin` unless they or the service choose a policy, and keepalive every 305 s with 20 s for the answer
 * unless they set `grpc.keepalive_time_ms` or `grpc.keepalive_timeout_ms`. A second call is for the channels that are made after
 * it; those made before keep their options, and each call's view shows the channels that were made under it.
 *
 * @returns a view of what is resolved, for metrics
 * @throws Error when this version of grpc-js is not supported, TypeError for options of another type or name, RangeError for a scheme of
 *   `sources` that is not valid or has a resolver of others
 */
export function registerResolvers(options: ResolversOptions = {}): Resolvers {
  checkOptions("registerResolvers", options, optionRules);
  const { kubernetes, etcd, consul, xds } = options;
  createSource("static:///127.0.0.1:1", { kubernetes, etcd, consul, xds }); // which checks them; it is not started
  return registerResolversIn(options, { env: process.env, findSidecar, createSource });
}

/** The same in any context. */
export function registerResolversIn(options: ResolversOptions, context: ResolversContext): Resolvers {
  requireSupportedGrpc();
  const { kubernetes, etcd, consul, xds, sources = {}, warnOfProxy = true } = options;
  requireOwnSchemes(sources);
  const { clock = systemClock } = context;
  const warn = options.warn ? dedupeWarnings(options.warn) : warnOnce;
  const running = new Set<DiscoveryResolver>();
  const warnOfSidecar = createSidecarCheck(context, warn);
  for (const scheme of targetSchemes) {
    // @grpc/grpc-js-xds, whose targets name no control plane, has the same scheme.
    if (scheme === "xds" && isForeign(scheme)) {
      warn("xds: targets are left to the resolver of others that was registered before, such as @grpc/grpc-js-xds");
      continue;
    }
    const { configName } = schemes[scheme];
    const create = (target: string) => {
      const source = context.createSource(target, { kubernetes, etcd, consul, xds });
      if (scheme === "kubernetes") warnOfSidecar(target);
      return source;
    };
    registerScheme(scheme, createResolverClass({ createSource: create, clock, warn, configName, running }));
  }
  for (const [scheme, createOwn] of Object.entries(sources)) {
    const create = checkedSource(scheme, createOwn);
    registerScheme(scheme, createResolverClass({ createSource: create, clock, warn, running }, ownAuthorityOf));
    recordOwnScheme(scheme);
  }
  const proxy = warnOfProxy ? describeProxy(context.env, [...targetSchemes, ...Object.keys(sources)]) : undefined;
  for (const warning of [...(proxy === undefined ? [] : [proxy]), ...recordRegistration()]) warn(warning);
  return { stats: () => summarize(running), findEndpoint: (peer, target) => findIn(running, peer, target) };
}

/** Whether grpc-js has a resolver for targets of a scheme that is not of this library. */
function isForeign(scheme: string): boolean {
  const resolver = createRegistered(scheme);
  return resolver !== undefined && !(resolver instanceof DiscoveryResolver);
}

function createResolverClass(
  options: Omit<DiscoveryResolverOptions, "target" | "listener" | "channelOptions">,
  getAuthority = (uri: GrpcUri) => authorityOf(targetText(uri)),
): ResolverConstructor {
  return class extends DiscoveryResolver {
    constructor(uri: GrpcUri, listener: ResolverListener, channelOptions: ChannelOptions) {
      super({ ...options, target: targetText(uri), listener, channelOptions });
    }

    static getDefaultAuthority(uri: GrpcUri): string {
      return getAuthority(uri);
    }
  };
}

const ownAuthorityOf = ({ scheme = "", path }: GrpcUri) => ownAuthority(scheme, path);

/** Looks for a sidecar once, in a pod alone (where Kubernetes sets this variable), when the first channel is used. */
function createSidecarCheck({ env, findSidecar }: ResolversContext, warn: Warn): (target: string) => void {
  let isDone = !env.KUBERNETES_SERVICE_HOST;
  return (target) => {
    if (isDone) return;
    isDone = true;
    void findSidecar().then((mesh) => mesh !== undefined && warn(describeSidecar(mesh, target)));
  };
}

function findIn(running: ReadonlySet<DiscoveryResolver>, peer: string, target?: string): Endpoint | undefined {
  if (typeof peer !== "string") {
    throw new TypeError(`findEndpoint: peer must be a text, such as call.getPeer() returns, got ${describeType(peer)}`);
  }
  for (const resolver of running) {
    if (target !== undefined && resolver.target !== target) continue;
    const endpoint = resolver.findEndpoint(peer);
    if (endpoint) return endpoint;
  }
  return undefined;
}

function summarize(running: ReadonlySet<DiscoveryResolver>): ResolvedTargetStats[] {
  const byTarget = new Map<string, ResolvedTargetStats>();
  for (const { target, source, latest } of running) {
    if (!source) continue;
    const scheme = target.slice(0, target.indexOf(":"));
    const isOurs = (targetSchemes as readonly string[]).includes(scheme);
    const key = isOurs ? JSON.stringify(parseTarget(target)) : target; // spellings of a target are one
    const known = byTarget.get(key);
    byTarget.set(key, {
      scheme,
      target: known?.target ?? target,
      channels: (known?.channels ?? 0) + 1,
      endpoints: latest?.endpoints?.length ?? 0,
      error: latest?.error?.message,
      ...source.stats,
    });
  }
  return [...byTarget.values()];
}

/**
 * Until `registerResolvers` is called, channels of our schemes fail each call with the reason; grpc-js would take their targets
 * for DNS names. Schemes that a resolver is registered for, be it of another copy of this library, keep theirs.
 */
function registerPlaceholders(): void {
  if (!isSupportedGrpc()) return; // `registerResolvers` throws what is missing
  for (const scheme of targetSchemes) {
    if (createRegistered(scheme)) continue;
    const createSource = () => {
      throw new Error(
        `no resolver is registered for ${scheme}: targets; call registerResolvers() of @grpc-lb/resolver before the channel is made`,
      );
    };
    registerScheme(
      scheme,
      createResolverClass({ createSource, clock: systemClock, warn: warnOnce, running: new Set() }),
    );
  }
}

registerPlaceholders();
