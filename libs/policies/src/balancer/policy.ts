import type { Clock, Random } from "@grpc-lb/core";
import type { Fields } from "../config/fields.ts";
import type { OnCallEnded, PickArgs } from "../grpc-js.ts";
import type { Child } from "./child.ts";

/** How long a call took, and how it ended. */
export interface CallEnd {
  /** From the call's start on the connection to its status, in milliseconds. */
  readonly durationMs: number;
  /** Whether it lasted so long that it was taken for an idle stream: see `longCallAfter`. */
  readonly isLong: boolean;
  readonly status: Parameters<OnCallEnded>[0];
  /** The trailers. */
  readonly metadata: Parameters<OnCallEnded>[2];
}

/** Everything a policy picks from: the whole state, never a delta. */
export interface PickerInput<Config, EndpointState> {
  readonly config: Config;
  /** All endpoints, connected or not, in the resolver's order. */
  readonly children: readonly Child<EndpointState>[];
  /** The endpoints that can take calls now; at least one. */
  readonly ready: readonly Child<EndpointState>[];
  /** The calls in flight on the whole channel, kept up to date; 0 for a policy that does not count calls. */
  readonly calls: CallTotal;
  readonly nowMs: number;
}

/** The calls that were picked for any child and have not ended. */
export interface CallTotal {
  readonly inFlight: number;
}

/**
 * Picks a child for one call. Runs once per call: it must be fast and allocate nothing.
 *
 * @param avoided only for a retry: the children that have failed the call. A policy that picks by a key goes on to the next child; of
 *   one that ignores the parameter the balancer requests another pick
 */
export type PickChild<EndpointState> = (
  args: PickArgs,
  avoided?: ReadonlySet<Child<EndpointState>>,
) => Child<EndpointState>;

/** Per-channel state of a policy. It lives as long as the channel uses the policy, across all updates. */
export interface PolicyInstance<Config, EndpointState> {
  /** Creates the policy's state of one endpoint, kept while the endpoint is in the list and for 5 s after. */
  createEndpointState(): EndpointState;
  /** Creates a picker. Runs again whenever the endpoints, their connectivity or the configuration have changed. */
  createPicker(input: PickerInput<Config, EndpointState>): PickChild<EndpointState>;
  /** After how many milliseconds to create a new picker although nothing has changed; undefined for never. */
  refreshMs?(input: PickerInput<Config, EndpointState>): number | undefined;
  /** Whether the balancer keeps `Child.inFlight` up to date. Default: false. */
  readonly countsCalls?: boolean;
  /** After how many milliseconds a call in flight does not count any more; Infinity for never. Default: Infinity. */
  longCallAfterMs?(config: Config): number;
  /** Runs at the end of each call, after `Child.inFlight` went down. */
  onCallEnded?(child: Child<EndpointState>, end: CallEnd): void;
  /** The endpoint has a connection, or a different one than before. */
  onConnected?(child: Child<EndpointState>, config: Config): void;
  /** The endpoint has lost its connection, or has left the list. */
  onDisconnected?(child: Child<EndpointState>): void;
}

/** The fields that every policy has. */
export interface CommonConfig {
  /**
   * When fewer than this percentage of the endpoints are READY, the endpoints that outlier_detection has ejected take calls
   * too: too few are left to carry the load (Envoy's panic threshold). Default: 0, never.
   */
  readonly panicThreshold: number;
}

/** Reads the fields that every policy has. */
export function parseCommonConfig(fields: Fields): CommonConfig {
  return { panicThreshold: fields.number("panicThreshold", 0, { min: 0, max: 100 }) };
}

/** The field of the policies that count calls. */
export interface CountConfig {
  /**
   * A call that lasts longer than this is taken for an idle stream and does not count as in flight any more, in milliseconds; Infinity
   * for never, written `0s`. Default: 10 s.
   */
  readonly longCallAfterMs: number;
}

/** Reads the field of the policies that count calls. */
export function parseCountConfig(fields: Fields): CountConfig {
  return { longCallAfterMs: fields.duration("longCallAfter", 10_000) || Number.POSITIVE_INFINITY };
}

/** Where a policy gets time and random numbers from. */
export interface PolicyContext {
  readonly clock: Clock;
  readonly random: Random;
}

/** A balancing policy: a name, a configuration and a way to pick. */
export interface Policy<Config extends CommonConfig, EndpointState> {
  /** The name in a service config. */
  readonly name: string;
  /** @throws RangeError that names the wrong field */
  parseConfig(fields: Fields): Config;
  /** Called once for each channel that uses the policy. */
  createInstance(context: PolicyContext): PolicyInstance<Config, EndpointState>;
}
