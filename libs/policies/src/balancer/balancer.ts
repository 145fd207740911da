import type { ChannelOptions } from "@grpc/grpc-js";
import type { Fields } from "../config/fields.ts";
import {
  type ChannelControlHelper,
  connectivityState,
  type GrpcEndpoint,
  type StatusOr,
  UnavailablePicker,
} from "../grpc-js.ts";
import type { ConnectionTiming } from "./connection-timing.ts";
import type { PolicyContext } from "./policy.ts";
import type { StatsSource } from "./stats.ts";

/** Runs one policy for one channel. */
export interface Balancer<Config> {
  /**
   * Takes the resolver's endpoints, or its error, and the configuration that goes with them. Equal configurations are the same
   * object.
   */
  update(found: StatusOr<GrpcEndpoint[]>, config: Config, options: ChannelOptions, note: string): void;
  /** Connects now where the balancer is idle. It reconnects by itself; this only hastens it. */
  connect(): void;
  /** Releases all connections. Afterwards nothing is published and no timer is left. */
  destroy(): void;
}

/** What a balancer gets from its process. */
export interface BalancerContext extends PolicyContext {
  /** Default: `defaultTiming`. */
  readonly timing?: ConnectionTiming | undefined;
  /** The balancers that are in use; each one of endpoints adds and removes itself. Default: nobody knows. */
  readonly running?: Set<StatsSource> | undefined;
}

/** A policy as the registration needs it: a parser and a constructor. */
export interface PolicyType<Config> {
  /** The name in a service config. */
  readonly name: string;
  /** @throws RangeError that names the wrong field */
  parseConfig(fields: Fields): Config;
  createBalancer(helper: ChannelControlHelper, context: BalancerContext): Balancer<Config>;
}

/**
 * The error of calls while the list of endpoints is empty.
 *
 * @param note the resolver's own explanation; empty when it gives none
 */
export function noEndpointMessage(policy: string, note: string): string {
  return note || `${policy}: the resolver has found no endpoint`;
}

/** Makes calls fail at once with a message. */
export function publishFailure(helper: ChannelControlHelper, message: string): void {
  helper.updateState(connectivityState.TRANSIENT_FAILURE, new UnavailablePicker({ details: message }), message);
}
