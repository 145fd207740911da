import type { ChannelOptions } from "@grpc/grpc-js";
import type { Snapshot } from "@grpc-lb/discovery";
import type { Clock } from "@grpc-lb/runtime";
import { resolverChannel } from "./diagnostics.ts";
import {
  publishEndpoints,
  publishError,
  type Resolver,
  type ResolverListener,
  type ServiceConfig,
  toGrpcEndpoint,
} from "./grpc-js.ts";
import { chooseServiceConfig, describeUnusable, parseServiceConfig, readServiceConfig } from "./service-config.ts";
import type { SharedSource } from "./shared-source.ts";
import type { Warn } from "./warn.ts";
import { whyNone } from "./why-none.ts";

/** What a resolver is made with. */
export interface DiscoveryResolverOptions {
  /** The target as the user wrote it. */
  readonly target: string;
  readonly listener: ResolverListener;
  readonly channelOptions: ChannelOptions;
  /** What to watch; or, for a target that is wrong, the message that every call gets. */
  readonly shared: SharedSource | { readonly error: string };
  readonly clock: Clock;
  readonly warn: Warn;
}

/**
 * grpc-js asks for a new resolution with every failing call and every lost connection, and each answer resets its backoff and
 * makes round_robin build its children anew. Policies keep what they were told, so an answer is never urgent: this is
 * gRPC's own least time between two resolutions (grpc.dns_min_time_between_resolutions_ms).
 */
const replayIntervalMs = 30_000;

/** Two policies of which at least one is not the one in use. */
const otherPolicies: readonly ServiceConfig["loadBalancingConfig"][] = [[{ round_robin: {} }], [{ pick_first: {} }]];

/**
 * Feeds a channel of grpc-js from a discovery source. Started by the first `updateResolution`, ended by `destroy`, and
 * started again by a later `updateResolution`: grpc-js keeps the instance while the channel is idle (facts: 30 minutes).
 *
 * - Endpoints are handed on as they come, and kept through any outage of the source.
 * - No endpoint at all fails calls at once with a message that names the service, and the next endpoint is used at once.
 * - `updateResolution` never causes a request: it replays what is known, at most once in 30 seconds.
 */
export class DiscoveryResolver implements Resolver {
  readonly #options: DiscoveryResolverOptions;
  readonly #onSnapshot = (snapshot: Snapshot) => this.#publish(snapshot);
  readonly #ofUser: ServiceConfig | undefined;
  /** From `updateResolution` to `destroy`. */
  #running: AbortController | undefined;
  #latest: Snapshot | undefined;
  /** Whether the policy was given endpoints that it may still be connected to. */
  #hasEndpoints = false;
  #hasReplayPending = false;
  #ofService: { readonly text: string; readonly config: ServiceConfig | undefined } | undefined;

  constructor(options: DiscoveryResolverOptions) {
    this.#options = options;
    const text: unknown = options.channelOptions["grpc.service_config"];
    this.#ofUser = typeof text === "string" && text !== "" ? readServiceConfig(text) : undefined;
  }

  updateResolution(): void {
    if (this.#running) {
      this.#replayLater();
      return;
    }
    this.#running = new AbortController();
    const { shared, target, warn } = this.#options;
    const unusable = this.#ofUser && describeUnusable(this.#ofUser);
    if (unusable) warn(`${target}: grpc.service_config: ${unusable}; grpc-js takes pick_first instead`);
    if ("error" in shared) this.#fail(shared.error, chooseServiceConfig(this.#ofUser, undefined));
    else shared.subscribe(this.#onSnapshot);
  }

  destroy(): void {
    const { shared } = this.#options;
    this.#running?.abort();
    this.#running = undefined;
    this.#latest = undefined;
    this.#hasEndpoints = false;
    this.#hasReplayPending = false;
    if (!("error" in shared)) void shared.unsubscribe(this.#onSnapshot);
  }

  #replayLater(): void {
    const running = this.#running;
    if (this.#hasReplayPending || !running) return;
    this.#hasReplayPending = true;
    void this.#options.clock.sleep(replayIntervalMs, running.signal, { background: true }).then(() => {
      if (this.#running !== running) return;
      this.#hasReplayPending = false;
      const { shared } = this.#options;
      if ("error" in shared) this.#fail(shared.error, chooseServiceConfig(this.#ofUser, undefined));
      else if (this.#latest) this.#publish(this.#latest);
    });
  }

  #publish(snapshot: Snapshot): void {
    if (!this.#running) return;
    const isNews = snapshot !== this.#latest;
    this.#latest = snapshot;
    const { target, listener, warn } = this.#options;
    const { endpoints, error } = snapshot;
    // Said before grpc-js is told, which may destroy this resolver.
    if (isNews) resolverChannel.publish({ target, snapshot });
    if (isNews && error?.code === "denied") warn(error.message);
    const config = chooseServiceConfig(this.#ofUser, this.#readAnnotation(snapshot));
    if (endpoints !== undefined && endpoints.length > 0) {
      this.#hasEndpoints = true;
      publishEndpoints(listener, endpoints.map(toGrpcEndpoint), config, error?.message ?? "");
    } else {
      this.#fail(whyNone(snapshot), config);
    }
  }

  /**
   * Makes calls fail. A policy that has endpoints keeps them through an error, and an empty list is no way out: pick_first
   * keeps its connection, round_robin lets calls hang, weighted_round_robin comes back with what it had (see facts). Only a
   * policy that is new has nothing to keep, so the one in use is replaced by another, and that one by a new one of its kind.
   */
  #fail(message: string, config: ServiceConfig): void {
    const running = this.#running;
    const detours = this.#hasEndpoints ? otherPolicies : [];
    this.#hasEndpoints = false;
    for (const loadBalancingConfig of [...detours, config.loadBalancingConfig]) {
      if (this.#running !== running) return; // a call that failed made the user close the channel
      publishError(this.#options.listener, message, { ...config, loadBalancingConfig });
    }
  }

  /** A config that grpc-js would not take is left out, and said once. */
  #readAnnotation({ subject, serviceConfig: text }: Snapshot): ServiceConfig | undefined {
    // The gRPC option by which a client refuses service configs that come from outside.
    const isRefused = Boolean(this.#options.channelOptions["grpc.service_config_disable_resolution"]);
    if (text === undefined || isRefused || this.#ofUser) return undefined;
    if (this.#ofService?.text !== text) {
      let config: ServiceConfig | undefined;
      try {
        config = parseServiceConfig(text);
      } catch (error) {
        this.#options.warn(
          `${subject}: its annotation grpc-lb.dev/service-config is ignored: ${(error as Error).message}`,
        );
      }
      this.#ofService = { text, config };
    }
    return this.#ofService.config;
  }
}
