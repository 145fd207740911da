import type { ChannelOptions } from "@grpc/grpc-js";
import { type Clock, messageOf } from "@grpc-lb/core";
import { DiscoveryError, type Endpoint, type Snapshot, targetOption } from "@grpc-lb/discovery";
import { resolverChannel } from "./diagnostics.ts";
import {
  type Attributes,
  publishEndpoints,
  publishError,
  type Resolver,
  type ResolverListener,
  type ServiceConfig,
  toGrpcEndpoint,
} from "./grpc-js.ts";
import { chooseKeepalive } from "./keepalive.ts";
import { chooseServiceConfig, describeProblems, parseServiceConfig, readChannelConfig } from "./service-config.ts";
import type { SharedSource } from "./shared-source.ts";
import type { Warn } from "./warn.ts";
import { whyNone } from "./why-none.ts";

/** What a resolver is made with. */
export interface DiscoveryResolverOptions {
  /** The target as the user wrote it. */
  readonly target: string;
  readonly listener: ResolverListener;
  readonly channelOptions: ChannelOptions;
  /** Asked at each start what to watch; or, for a target that is wrong, for the message that every call gets. */
  share(): SharedSource | { readonly error: string };
  /** Asked with each snapshot where its service config counts: why it could not have one; undefined when it could. */
  whyNoServiceConfig?(snapshot: Snapshot): string | undefined;
  readonly clock: Clock;
  readonly warn: Warn;
  /** What a service config of the service's own is called in a warning. Default: `service config`. */
  readonly configName?: string;
}

/**
 * grpc-js asks for a new resolution with every failing call and every lost connection, and each answer resets its backoff and
 * makes round_robin build its children anew. Policies keep what they were told, so an answer is never urgent: this is
 * gRPC's own least time between two resolutions (grpc.dns_min_time_between_resolutions_ms).
 */
const replayIntervalMs = 30_000;

/** While calls fail, the words of a failing source may change with each of its tries; each change resets grpc-js's backoff. */
const messageIntervalMs = 1_000;

/** Two policies of which at least one is not the one in use. */
const otherPolicies: readonly ServiceConfig["loadBalancingConfig"][] = [[{ round_robin: {} }], [{ pick_first: {} }]];

/** What grpc-js was told last. */
type Told =
  /** The policy has these, and may be connected to them. */
  | {
      readonly t: "endpoints";
      readonly endpoints: readonly Endpoint[];
      readonly ofService: ServiceConfig | undefined;
    }
  /** Calls fail with this message. */
  | {
      readonly t: "failing";
      readonly message: string;
      readonly ofService: ServiceConfig | undefined;
      readonly atMs: number;
    };

/** All that there is from `updateResolution` to `destroy`. */
interface Run {
  readonly controller: AbortController;
  readonly pending: Set<"replay" | "message">;
  shared: SharedSource | undefined;
  latest: Snapshot | undefined;
  /** What the service itself asks for in `latest`. */
  ofService: ServiceConfig | undefined;
  told: Told | undefined;
  readonly channelConfig: ServiceConfig | undefined;
}

/**
 * Feeds a channel of grpc-js from a discovery source. Started by the first `updateResolution`, ended by `destroy`, and
 * started again by a later `updateResolution`: grpc-js keeps the instance while the channel is idle (facts: 30 minutes).
 *
 * - Endpoints are handed on as they come, and kept through any outage of the source. As long as they and the service config
 *   stay the same, grpc-js is told nothing, whatever the source says beside them.
 * - No endpoint at all fails calls at once with a message that names the service, and the next endpoint is used at once. The
 *   message follows its reason, at most once a second.
 * - `updateResolution` never causes a request: it replays what is known, at most once in 30 seconds.
 */
export class DiscoveryResolver implements Resolver {
  readonly #options: DiscoveryResolverOptions;
  readonly #onSnapshot = (snapshot: Snapshot) => this.#take(snapshot);
  readonly #attributes: Attributes;
  /** The channel's own service config, in JSON; grpc-js has checked it. */
  readonly #channelConfig: string | undefined;
  #run: Run | undefined;
  /** Kept between runs, so that a config of the service is read, and what is wrong with it said, once. */
  #serviceConfig: { readonly text: string; readonly config: ServiceConfig | undefined } | undefined;

  constructor(options: DiscoveryResolverOptions) {
    this.#options = options;
    this.#attributes = { ...chooseKeepalive(options.channelOptions), [targetOption]: options.target };
    const text: unknown = options.channelOptions["grpc.service_config"];
    this.#channelConfig = typeof text === "string" && text !== "" ? text : undefined;
  }

  updateResolution(): void {
    if (this.#run) {
      this.#tellIn(this.#run, replayIntervalMs, "replay");
      return;
    }
    const { target, warn } = this.#options;
    const shared = this.#options.share();
    const parsed = this.#channelConfig === undefined ? undefined : readChannelConfig(this.#channelConfig);
    const run: Run = {
      controller: new AbortController(),
      pending: new Set(),
      shared: "error" in shared ? undefined : shared,
      latest: "error" in shared ? unknown(target, shared.error) : undefined,
      ofService: undefined,
      told: undefined,
      channelConfig: parsed?.config,
    };
    this.#run = run;
    if (run.shared) run.shared.subscribe(this.#onSnapshot);
    else this.#tell(run);
    const problems = parsed && describeProblems(`${target}: grpc.service_config`, parsed);
    if (problems !== undefined) warn(problems);
  }

  destroy(): void {
    const run = this.#run;
    this.#run = undefined;
    run?.controller.abort();
    void run?.shared?.unsubscribe(this.#onSnapshot);
  }

  #take(snapshot: Snapshot): void {
    const run = this.#run;
    if (!run) return;
    run.latest = snapshot;
    const { target, warn } = this.#options;
    resolverChannel.publish({ target, snapshot });
    if (snapshot.error?.code === "permissionDenied") warn(snapshot.error.message);
    const whyNoServiceConfig = this.#takesServiceConfig && this.#options.whyNoServiceConfig?.(snapshot);
    if (whyNoServiceConfig) warn(whyNoServiceConfig);
    run.ofService = this.#readServiceConfig(snapshot);
    this.#tell(run);
  }

  /** Tells what is known then; twice the same wish is one. */
  #tellIn(run: Run, ms: number, why: "replay" | "message"): void {
    if (run.pending.has(why)) return;
    run.pending.add(why);
    void this.#options.clock.sleep(ms, run.controller.signal, { background: true }).then(() => {
      run.pending.delete(why);
      this.#tell(run, why === "replay");
    });
  }

  /** Tells grpc-js what is known, as far as it has not heard it; what it asked for, in any case. */
  #tell(run: Run, isAsked = false): void {
    const { latest: snapshot, ofService, told } = run;
    // The channel may be closed: while this waited, or by one whom a warning or the diagnostics channel told.
    if (!snapshot || this.#run !== run) return;
    const { listener, clock } = this.#options;
    const { endpoints, error } = snapshot;
    const config = chooseServiceConfig(run.channelConfig, ofService);
    if (endpoints !== undefined && endpoints.length > 0) {
      const isKnown = told?.t === "endpoints" && told.ofService === ofService && isSame(told.endpoints, endpoints);
      if (isKnown && !isAsked) return;
      run.told = { t: "endpoints", endpoints, ofService };
      const beside = { config, attributes: this.#attributes };
      publishEndpoints(listener, endpoints.map(toGrpcEndpoint), beside, error?.message ?? "");
      return;
    }
    const message = whyNone(snapshot);
    if (told?.t === "failing" && !isAsked) {
      if (told.message === message && told.ofService === ofService) return;
      const waitMs = told.atMs + messageIntervalMs - clock.now();
      if (waitMs > 0) {
        this.#tellIn(run, waitMs, "message");
        return;
      }
    }
    run.told = { t: "failing", message, ofService, atMs: clock.now() };
    this.#fail(run, message, config, told?.t === "endpoints");
  }

  /**
   * Makes calls fail. A policy that has endpoints keeps them through an error, and an empty list is no way out: pick_first
   * keeps its connection, round_robin lets calls hang, weighted_round_robin comes back with what it had (see facts). Only a
   * policy that is new has nothing to keep, so the one in use is replaced by another, and that one by a new one of its kind.
   */
  #fail(run: Run, message: string, config: ServiceConfig, hasEndpoints: boolean): void {
    const detours = hasEndpoints ? otherPolicies : [];
    for (const loadBalancingConfig of [...detours, config.loadBalancingConfig]) {
      if (this.#run !== run) return; // a call that failed made the user close the channel
      const beside = { config: { ...config, loadBalancingConfig }, attributes: this.#attributes };
      publishError(this.#options.listener, message, beside);
    }
  }

  get #takesServiceConfig(): boolean {
    // The gRPC option by which a client refuses service configs that come from outside.
    const isRefused = Boolean(this.#options.channelOptions["grpc.service_config_disable_resolution"]);
    return !isRefused && this.#channelConfig === undefined;
  }

  /** A config that grpc-js would not take is left out, and said once. The same text gives the same object. */
  #readServiceConfig({ subject, serviceConfig: text }: Snapshot): ServiceConfig | undefined {
    if (text === undefined || !this.#takesServiceConfig) return undefined;
    if (this.#serviceConfig?.text !== text) {
      const { warn, configName = "service config" } = this.#options;
      let config: ServiceConfig | undefined;
      try {
        const parsed = parseServiceConfig(text);
        config = parsed.config;
        const problems = describeProblems(`${subject}: its ${configName}`, parsed);
        if (problems !== undefined) warn(problems);
      } catch (error) {
        warn(`${subject}: its ${configName} is ignored: ${messageOf(error)}`);
      }
      this.#serviceConfig = { text, config };
    }
    return this.#serviceConfig.config;
  }
}

/** A snapshot keeps the object of an endpoint that stayed. */
function isSame(before: readonly Endpoint[], now: readonly Endpoint[]): boolean {
  return before.length === now.length && before.every((endpoint, n) => endpoint === now[n]);
}

/** What is known where there is nothing to watch. */
function unknown(subject: string, message: string): Snapshot {
  const error = new DiscoveryError("notFound", message);
  return { subject, endpoints: undefined, lastSyncMs: undefined, serviceConfig: undefined, error };
}
