import type { Clock, Random } from "@grpc-lb/core";
import type { Child } from "./child.ts";
import type { Fields } from "../config/fields.ts";
import type { OnCallEnded, PickArgs } from "../grpc-js.ts";

/** How long a call took, and how it ended. */
export interface CallEnd {
  /** From its start on the connection to its status, in milliseconds. */
  readonly durationMs: number;
  readonly status: Parameters<OnCallEnded>[0];
  readonly metadata: Parameters<OnCallEnded>[2];
}

/** What a chooser chooses from, whole. */
export interface View<Config, Load> {
  readonly config: Config;
  /** All endpoints, connected or not, in the resolver's order. */
  readonly children: readonly Child<Load>[];
  /** Those that calls may go to now; at least one. */
  readonly usable: readonly Child<Load>[];
  /** All calls under way, kept up to date; 0 where calls are not counted. */
  readonly calls: CallTotal;
  readonly nowMs: number;
}

/** The calls that were picked for any child and have not ended. */
export interface CallTotal {
  readonly inFlight: number;
}

/** Takes a child for a call; called once for each pick, so it is quick and allocates nothing. */
export type Choose<Load> = (args: PickArgs) => Child<Load>;

/** The mind of one balancer: it lives as long as the channel uses the policy, across every update. */
export interface Chooser<Config, Load> {
  /** What is remembered of an endpoint, for as long as it stays. */
  createLoad(): Load;
  /** Prepares a way to choose; called anew when endpoints, their states or the configuration have changed. */
  prepare(view: View<Config, Load>): Choose<Load>;
  /** After how many milliseconds to prepare anew though nothing has changed; undefined for never. */
  refreshMs?(view: View<Config, Load>): number | undefined;
  /** Whether calls are to be counted in `Child.inFlight`. Absent: they are not. */
  readonly countsCalls?: boolean;
  /** Told of each call's end; also one that was counted. */
  onCallEnded?(child: Child<Load>, end: CallEnd): void;
  /** The endpoint has a connection, or another one. */
  onConnected?(child: Child<Load>, config: Config): void;
  /** The endpoint has lost its connection, or has left. */
  onDisconnected?(child: Child<Load>): void;
}

/** What every configuration has. */
export interface CommonConfig {
  /**
   * Below this share of READY endpoints, in percent, those that outlier_detection has ejected take calls again, as too few are
   * left to carry all (Envoy's panic threshold). Default: 0, never.
   */
  readonly panicThreshold: number;
}

/** Reads what every configuration has. */
export function parseCommonConfig(fields: Fields): CommonConfig {
  return { panicThreshold: fields.number("panicThreshold", 0, { min: 0, max: 100 }) };
}

/** Where a policy's chance and time come from. */
export interface PolicyContext {
  readonly clock: Clock;
  readonly random: Random;
}

/** A balancing policy: a name, a configuration and a way to choose. */
export interface Policy<Config extends CommonConfig, Load> {
  /** As a service config names it. */
  readonly name: string;
  /** @throws RangeError that names the field */
  parseConfig(fields: Fields): Config;
  createChooser(context: PolicyContext): Chooser<Config, Load>;
}
