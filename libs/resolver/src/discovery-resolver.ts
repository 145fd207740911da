import { isDeepStrictEqual } from "node:util";
import type { ChannelOptions } from "@grpc/grpc-js";
import { type Clock, messageOf, type Random } from "@grpc-lb/core";
import {
  DiscoveryError,
  type Drop,
  type Endpoint,
  type Snapshot,
  type Source,
  type Subscription,
  targetOption,
} from "@grpc-lb/discovery";
import { describeNoEndpoints } from "./describe-no-endpoints.ts";
import { ResolverDiagnostics } from "./diagnostics.ts";
import { createDropSelector } from "./drop-selector.ts";
import { EndpointHistory } from "./endpoint-history.ts";
import {
  type Attributes,
  publishEndpoints,
  publishError,
  type Resolver,
  type ResolverListener,
  type ServiceConfig,
  toGrpcEndpoint,
} from "./grpc-js.ts";
import { chooseServiceConfig, describeProblems, parseServiceConfig, readChannelConfig } from "./service-config.ts";
import type { Warn } from "./warn.ts";

/** The options of a `DiscoveryResolver`. */
export interface DiscoveryResolverOptions {
  /** The target as the user wrote it. */
  readonly target: string;
  readonly listener: ResolverListener;
  readonly channelOptions: ChannelOptions;
  /** Called at each start. @throws Error, for example for an invalid target; calls then fail with the error's message */
  createSource(target: string): Source;
  readonly clock: Clock;
  /** Decides which calls are dropped, where a control plane wants that. Default: `Math.random`. */
  readonly random?: Random | undefined;
  readonly warn: Warn;
  /** The name of the service's own config in warnings. Default: `service config`. */
  readonly configName?: string | undefined;
  /** The resolvers that are using a source; each resolver adds and removes itself. */
  readonly running: Set<DiscoveryResolver>;
}

/**
 * grpc-js requests a new resolution with every failing call and every lost connection, and each answer resets its backoff and
 * makes round_robin rebuild its children. Policies keep the published endpoints, so an answer is never urgent. The interval is
 * gRPC's own minimum time between two resolutions (grpc.dns_min_time_between_resolutions_ms).
 */
const replayIntervalMs = 30_000;

/** While calls fail, the error of a source may change with each of its attempts. Each published change resets grpc-js's backoff. */
const messageIntervalMs = 1_000;

/** Two policies: at least one of them differs from the policy in use. */
const otherPolicies: readonly ServiceConfig["loadBalancingConfig"][] = [[{ round_robin: {} }], [{ pick_first: {} }]];

/**
 * Servers of grpc-go, grpc-java and grpc-core treat pings more often than every five minutes as an attack, and close the
 * connection with `too_many_pings` (gRFC A8). The additional five seconds allow for varying network delays.
 */
const keepalive: Attributes = { "grpc.keepalive_time_ms": 305_000, "grpc.keepalive_timeout_ms": 20_000 };

/**
 * Keepalive attributes for the options that a channel does not set. By default grpc-js sends no keepalive pings: a call to a peer
 * that vanished without a FIN would wait for its deadline, or for ever. In grpc-js, attributes override a channel's own options.
 * So options that the channel sets, even to switch keepalive off, are omitted here.
 */
export function chooseKeepalive(channelOptions: ChannelOptions): Attributes {
  return Object.fromEntries(Object.entries(keepalive).filter(([key]) => channelOptions[key] === undefined));
}

/** What was last published to grpc-js. */
type LastPublished =
  /** The policy has these endpoints, and may be connected to them. */
  | {
      readonly t: "endpoints";
      readonly endpoints: readonly Endpoint[];
      readonly drops: readonly Drop[];
      readonly resolvedConfig: ServiceConfig | undefined;
    }
  /** Calls fail with this message. */
  | {
      readonly t: "failing";
      readonly message: string;
      readonly resolvedConfig: ServiceConfig | undefined;
      readonly atMs: number;
    };

/** The state from the first `updateResolution` until `destroy`. */
interface Run {
  readonly controller: AbortController;
  readonly diagnostics: ResolverDiagnostics;
  readonly pending: Set<"replay" | "message">;
  readonly channelConfig: ServiceConfig | undefined;
  source: Source | undefined;
  subscription: Subscription | undefined;
  latest: Snapshot | undefined;
  /** The service's own config in `latest`. */
  resolvedConfig: ServiceConfig | undefined;
  lastPublished: LastPublished | undefined;
}

/**
 * Publishes the endpoints of a discovery source to a grpc-js channel. The first `updateResolution` starts the source, and `destroy`
 * ends it. A later `updateResolution` starts it again, because grpc-js keeps the resolver while the channel is idle.
 *
 * - Changed endpoints are published at once. They are kept during an outage of the source. While endpoints and service config stay
 *   the same, nothing is published, whatever else changes in a snapshot.
 * - Without endpoints, calls fail at once with a message that names the service. New endpoints are used at once. When
 *   the reason changes, the message changes, too, at most once a second.
 * - While the source runs, `updateResolution` causes no request: it publishes the latest result again, at most once in 30 seconds.
 */
export class DiscoveryResolver implements Resolver {
  readonly target: string;
  readonly #options: DiscoveryResolverOptions;
  readonly #attributes: Attributes;
  /** The channel's own service config, in JSON; grpc-js has checked it. */
  readonly #channelConfig: string | undefined;
  readonly #history = new EndpointHistory();
  #run: Run | undefined;
  /** Kept between runs, so that a config of the service is parsed once and causes one warning at most. */
  #resolvedConfig: { readonly text: string; readonly config: ServiceConfig | undefined } | undefined;

  constructor(options: DiscoveryResolverOptions) {
    const { target, channelOptions } = options;
    this.target = target;
    this.#options = options;
    this.#attributes = { ...chooseKeepalive(channelOptions), [targetOption]: target };
    const text: unknown = channelOptions["grpc.service_config"];
    this.#channelConfig = typeof text === "string" && text !== "" ? text : undefined;
  }

  /** The source in use; undefined before `updateResolution` and after `destroy`. */
  get source(): Source | undefined {
    return this.#run?.source;
  }

  /** The latest snapshot; undefined while nothing is known. */
  get latest(): Snapshot | undefined {
    return this.#run?.latest;
  }

  /** The endpoint of an address, also of one that has left lately. */
  findEndpoint(address: string): Endpoint | undefined {
    return this.#history.find(address);
  }

  updateResolution(): void {
    if (this.#run) this.#publishLater(this.#run, replayIntervalMs, "replay");
    else this.#start();
  }

  destroy(): void {
    const run = this.#run;
    this.#run = undefined;
    this.#options.running.delete(this);
    run?.controller.abort();
    void run?.subscription?.close();
    run?.diagnostics.publishEnd();
  }

  #start(): void {
    const { target, warn, running, createSource } = this.#options;
    const parsed = this.#channelConfig === undefined ? undefined : readChannelConfig(this.#channelConfig);
    const run: Run = {
      controller: new AbortController(),
      diagnostics: new ResolverDiagnostics(target),
      pending: new Set(),
      channelConfig: parsed?.config,
      source: undefined,
      subscription: undefined,
      latest: undefined,
      resolvedConfig: undefined,
      lastPublished: undefined,
    };
    this.#run = run;
    let source: Source;
    try {
      source = createSource(target);
    } catch (error) {
      run.latest = createFailedSnapshot(target, messageOf(error));
      run.diagnostics.publishSnapshot(run.latest, undefined);
      this.#publish(run);
      return;
    }
    run.source = source;
    running.add(this);
    // Not before `createSource`: it rejects invalid targets, whose text may contain a secret.
    const problems = parsed && describeProblems(`${target}: grpc.service_config`, parsed);
    if (problems !== undefined) warn(problems);
    const subscription = source.subscribe((snapshot) => this.#receive(run, snapshot));
    if (this.#run === run) run.subscription = subscription;
    else void subscription.close(); // the first snapshot has led to `destroy`
  }

  #receive(run: Run, snapshot: Snapshot): void {
    if (this.#run !== run) return;
    const before = run.latest;
    run.latest = snapshot;
    const { warn } = this.#options;
    if (snapshot.endpoints) this.#history.add(snapshot.endpoints);
    run.diagnostics.publishSnapshot(snapshot, before);
    const { error, serviceConfigError } = snapshot;
    if (error?.code === "permissionDenied") warn(error.message);
    if (serviceConfigError?.code === "permissionDenied" && this.#usesResolvedConfig) {
      warn(describeDeniedConfig(serviceConfigError, this.#configName));
    }
    run.resolvedConfig = this.#readResolvedConfig(snapshot);
    this.#publish(run);
  }

  /** Publishes the latest result after `ms`; further requests of the same kind in the meantime have no effect. */
  #publishLater(run: Run, ms: number, kind: "replay" | "message"): void {
    if (run.pending.has(kind)) return;
    run.pending.add(kind);
    void this.#options.clock.sleep(ms, run.controller.signal, { background: true }).then(() => {
      run.pending.delete(kind);
      this.#publish(run, { force: kind === "replay" });
    });
  }

  /** Publishes the latest result to grpc-js unless it is unchanged; with `force`, in any case. */
  #publish(run: Run, { force = false }: { readonly force?: boolean } = {}): void {
    const { latest: snapshot, resolvedConfig, lastPublished: last } = run;
    // The channel may have been closed during the wait, or by a listener of warnings or of the diagnostics channel.
    if (!snapshot || this.#run !== run) return;
    const { listener, clock, random = Math.random } = this.#options;
    const { endpoints, error, drops = [] } = snapshot;
    const config = chooseServiceConfig(run.channelConfig, resolvedConfig);
    if (endpoints !== undefined && endpoints.length > 0) {
      const isKnown =
        last?.t === "endpoints" &&
        last.resolvedConfig === resolvedConfig &&
        isDeepStrictEqual(last.drops, drops) &&
        isSame(last.endpoints, endpoints);
      if (isKnown && !force) return;
      run.lastPublished = { t: "endpoints", endpoints, drops, resolvedConfig };
      const configSelector = drops.length > 0 ? createDropSelector(drops, config, random) : undefined;
      const extras = { config, attributes: this.#attributes, configSelector };
      publishEndpoints(listener, endpoints.map(toGrpcEndpoint), extras, error?.message ?? "");
      return;
    }
    const message = describeNoEndpoints(snapshot);
    if (last?.t === "failing" && !force) {
      if (last.message === message && last.resolvedConfig === resolvedConfig) return;
      const waitMs = last.atMs + messageIntervalMs - clock.now();
      if (waitMs > 0) {
        this.#publishLater(run, waitMs, "message");
        return;
      }
    }
    run.lastPublished = { t: "failing", message, resolvedConfig, atMs: clock.now() };
    this.#failCalls(run, message, config, last?.t === "endpoints");
  }

  /**
   * Makes calls fail. In grpc-js, a policy keeps its endpoints when it receives an error. An empty list does not help: pick_first
   * keeps its connection, round_robin lets calls hang, and weighted_round_robin returns to its old endpoints. Only a new instance
   * has no endpoints to keep. So a different policy replaces the one in use, and then a new instance of the configured policy
   * replaces that.
   */
  #failCalls(run: Run, message: string, config: ServiceConfig, hasEndpoints: boolean): void {
    const detours = hasEndpoints ? otherPolicies : [];
    for (const loadBalancingConfig of [...detours, config.loadBalancingConfig]) {
      if (this.#run !== run) return; // a call that failed made the user close the channel
      const extras = { config: { ...config, loadBalancingConfig }, attributes: this.#attributes };
      publishError(this.#options.listener, message, extras);
    }
  }

  get #configName(): string {
    return this.#options.configName ?? "service config";
  }

  get #usesResolvedConfig(): boolean {
    // With this option of gRPC, a client ignores service configs that a resolver provides.
    const isRefused = Boolean(this.#options.channelOptions["grpc.service_config_disable_resolution"]);
    return !isRefused && this.#channelConfig === undefined;
  }

  /** A config that grpc-js rejects is ignored with one warning. The same text returns the same object. */
  #readResolvedConfig({ subject, serviceConfig: text }: Snapshot): ServiceConfig | undefined {
    if (text === undefined || !this.#usesResolvedConfig) return undefined;
    if (this.#resolvedConfig?.text !== text) {
      const { warn } = this.#options;
      const where = `${subject}: its ${this.#configName}`;
      let config: ServiceConfig | undefined;
      try {
        const parsed = parseServiceConfig(text);
        config = parsed.config;
        const problems = describeProblems(where, parsed);
        if (problems !== undefined) warn(problems);
      } catch (error) {
        warn(`${where} is ignored: ${messageOf(error)}`);
      }
      this.#resolvedConfig = { text, config };
    }
    return this.#resolvedConfig.config;
  }
}

/** Compares objects: an endpoint that did not change is the same object in the next snapshot. */
function isSame(before: readonly Endpoint[], now: readonly Endpoint[]): boolean {
  return before.length === now.length && before.every((endpoint, n) => endpoint === now[n]);
}

/** The snapshot of a target for which `createSource` failed. */
function createFailedSnapshot(subject: string, message: string): Snapshot {
  const error = new DiscoveryError("invalid", message);
  return { subject, endpoints: undefined, lastSyncMs: undefined, serviceConfig: undefined, error };
}

/** A config that cannot be read does not make calls fail, so only a warning shows the error. */
function describeDeniedConfig({ message }: DiscoveryError, configName: string): string {
  return `${message}; calls continue without its ${configName}; grant that right, or set grpc.service_config on the channels`;
}
