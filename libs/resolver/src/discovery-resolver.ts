import { channel } from "node:diagnostics_channel";
import type { ChannelOptions } from "@grpc/grpc-js";
import { type Clock, messageOf } from "@grpc-lb/core";
import {
  DiscoveryError,
  type Endpoint,
  type Snapshot,
  type Source,
  type Subscription,
  targetOption,
} from "@grpc-lb/discovery";
import { describeNoEndpoints } from "./describe-no-endpoints.ts";
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

/** The name to subscribe to: `diagnostics_channel.subscribe(resolverChannelName, (message) => …)`. */
export const resolverChannelName = "grpc-lb:resolver:snapshot";

/** What is published there: each snapshot that a channel of grpc-js has received. */
export interface ResolverMessage {
  /** As the user wrote it; policies publish the same one. */
  readonly target: string;
  readonly snapshot: Snapshot;
}

const resolverChannel = channel(resolverChannelName);

/** What a resolver is made with. */
export interface DiscoveryResolverOptions {
  /** The target as the user wrote it. */
  readonly target: string;
  readonly listener: ResolverListener;
  readonly channelOptions: ChannelOptions;
  /** Called at each start. @throws Error whose message every call fails with, such as that of a target that is not valid */
  createSource(target: string): Source;
  readonly clock: Clock;
  readonly warn: Warn;
  /** What a warning calls the service config of the service. Default: `service config`. */
  readonly configName?: string | undefined;
  /** The resolvers that use a source now; this one adds and deletes itself. */
  readonly running: Set<DiscoveryResolver>;
}

/**
 * grpc-js requests a new resolution with every failing call and every lost connection, and each answer resets its backoff and
 * makes round_robin rebuild its children. Policies keep what was published, so an answer is never urgent: this is gRPC's own
 * minimum time between two resolutions (grpc.dns_min_time_between_resolutions_ms).
 */
const replayIntervalMs = 30_000;

/** While calls fail, the error of a source may change with each of its attempts; each change resets grpc-js's backoff. */
const messageIntervalMs = 1_000;

/** Two policies of which at least one is not the one in use. */
const otherPolicies: readonly ServiceConfig["loadBalancingConfig"][] = [[{ round_robin: {} }], [{ pick_first: {} }]];

/**
 * Servers of grpc-go, grpc-java and grpc-core treat pings more often than every five minutes as an attack, and close the
 * connection with `too_many_pings` (gRFC A8). The five seconds are for pings that the network delays unequally.
 */
const keepalive: Attributes = { "grpc.keepalive_time_ms": 305_000, "grpc.keepalive_timeout_ms": 20_000 };

/**
 * Keepalive for channels that do not set it, as grpc-js has none by default: a call to a peer that vanished without a
 * FIN would wait for its deadline, or for ever. Attributes precede a channel's own options in grpc-js, so what the channel
 * sets, be it to switch keepalive off, is left out here.
 */
export function chooseKeepalive(channelOptions: ChannelOptions): Attributes {
  return Object.fromEntries(Object.entries(keepalive).filter(([key]) => channelOptions[key] === undefined));
}

/** What grpc-js received last. */
type LastPublished =
  /** The policy has these, and may be connected to them. */
  | {
      readonly t: "endpoints";
      readonly endpoints: readonly Endpoint[];
      readonly resolvedConfig: ServiceConfig | undefined;
    }
  /** Calls fail with this message. */
  | {
      readonly t: "failing";
      readonly message: string;
      readonly resolvedConfig: ServiceConfig | undefined;
      readonly atMs: number;
    };

/** All that there is from `updateResolution` to `destroy`. */
interface Run {
  readonly controller: AbortController;
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
 * Feeds a channel of grpc-js from a discovery source. Started by the first `updateResolution`, ended by `destroy`, and
 * started again by a later `updateResolution`: grpc-js keeps the instance while the channel is idle.
 *
 * - Endpoints are published as they come, and kept through any outage of the source. As long as they and the service config
 *   stay the same, nothing is published, whatever else changes in a snapshot.
 * - Without any endpoint, calls fail at once with a message that names the service, and the next endpoint is used at once. The
 *   message follows its reason, at most once a second.
 * - `updateResolution` never causes a request: it publishes again what is known, at most once in 30 seconds.
 */
export class DiscoveryResolver implements Resolver {
  readonly target: string;
  readonly #options: DiscoveryResolverOptions;
  readonly #attributes: Attributes;
  /** The channel's own service config, in JSON; grpc-js has checked it. */
  readonly #channelConfig: string | undefined;
  #run: Run | undefined;
  /** Kept between runs, so that a config of the service is parsed, and warned of, once. */
  #resolvedConfig: { readonly text: string; readonly config: ServiceConfig | undefined } | undefined;

  constructor(options: DiscoveryResolverOptions) {
    const { target, channelOptions } = options;
    this.target = target;
    this.#options = options;
    this.#attributes = { ...chooseKeepalive(channelOptions), [targetOption]: target };
    const text: unknown = channelOptions["grpc.service_config"];
    this.#channelConfig = typeof text === "string" && text !== "" ? text : undefined;
  }

  /** Undefined while it does not run. */
  get source(): Source | undefined {
    return this.#run?.source;
  }

  /** The latest snapshot; undefined while nothing is known. */
  get latest(): Snapshot | undefined {
    return this.#run?.latest;
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
  }

  #start(): void {
    const { target, warn, running, createSource } = this.#options;
    const parsed = this.#channelConfig === undefined ? undefined : readChannelConfig(this.#channelConfig);
    const run: Run = {
      controller: new AbortController(),
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
      this.#publish(run);
      return;
    }
    run.source = source;
    running.add(this);
    // Not before: the text of a target that is not valid may hold a secret.
    const problems = parsed && describeProblems(`${target}: grpc.service_config`, parsed);
    if (problems !== undefined) warn(problems);
    const subscription = source.subscribe((snapshot) => this.#receive(run, snapshot));
    if (this.#run === run) run.subscription = subscription;
    else void subscription.close(); // destroyed by what the first snapshot caused
  }

  #receive(run: Run, snapshot: Snapshot): void {
    if (this.#run !== run) return;
    run.latest = snapshot;
    const { target, warn } = this.#options;
    resolverChannel.publish({ target, snapshot } satisfies ResolverMessage);
    const { error, serviceConfigError } = snapshot;
    if (error?.code === "permissionDenied") warn(error.message);
    if (serviceConfigError?.code === "permissionDenied" && this.#usesResolvedConfig) {
      warn(describeDeniedConfig(serviceConfigError, this.#configName));
    }
    run.resolvedConfig = this.#readResolvedConfig(snapshot);
    this.#publish(run);
  }

  /** Publishes what is known then; requests of the same kind meanwhile are one. */
  #publishLater(run: Run, ms: number, kind: "replay" | "message"): void {
    if (run.pending.has(kind)) return;
    run.pending.add(kind);
    void this.#options.clock.sleep(ms, run.controller.signal, { background: true }).then(() => {
      run.pending.delete(kind);
      this.#publish(run, { force: kind === "replay" });
    });
  }

  /** Hands grpc-js what is known, unless it has received the same; with `force`, in any case. */
  #publish(run: Run, { force = false }: { readonly force?: boolean } = {}): void {
    const { latest: snapshot, resolvedConfig, lastPublished: last } = run;
    // The channel may be closed: while this waited, or by a listener of a warning or of the diagnostics channel.
    if (!snapshot || this.#run !== run) return;
    const { listener, clock } = this.#options;
    const { endpoints, error } = snapshot;
    const config = chooseServiceConfig(run.channelConfig, resolvedConfig);
    if (endpoints !== undefined && endpoints.length > 0) {
      const isKnown =
        last?.t === "endpoints" && last.resolvedConfig === resolvedConfig && isSame(last.endpoints, endpoints);
      if (isKnown && !force) return;
      run.lastPublished = { t: "endpoints", endpoints, resolvedConfig };
      const extras = { config, attributes: this.#attributes };
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
   * Makes calls fail. A policy that has endpoints keeps them through an error, and an empty list does not help: pick_first
   * keeps its connection, round_robin lets calls hang, weighted_round_robin comes back with what it had. Only a policy that is
   * new has nothing to keep, so the one in use is replaced by another, and that one by a new one of its kind.
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
    // The gRPC option by which a client refuses service configs that come from outside.
    const isRefused = Boolean(this.#options.channelOptions["grpc.service_config_disable_resolution"]);
    return !isRefused && this.#channelConfig === undefined;
  }

  /** A config that grpc-js refuses is left out, with one warning. The same text gives the same object. */
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

/** A snapshot keeps the object of an endpoint that stayed. */
function isSame(before: readonly Endpoint[], now: readonly Endpoint[]): boolean {
  return before.length === now.length && before.every((endpoint, n) => endpoint === now[n]);
}

/** Of a target without a source. */
function createFailedSnapshot(subject: string, message: string): Snapshot {
  const error = new DiscoveryError("invalid", message);
  return { subject, endpoints: undefined, lastSyncMs: undefined, serviceConfig: undefined, error };
}

/** Calls do not fail for it, so only a warning shows it. */
function describeDeniedConfig({ message }: DiscoveryError, configName: string): string {
  return `${message}; calls go on, without its ${configName}; grant that right, or give the channels grpc.service_config`;
}
