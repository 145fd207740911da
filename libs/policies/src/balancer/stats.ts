import type { EndpointInfo } from "./endpoint-info.ts";

/** What a policy knows of one endpoint. */
export interface EndpointStats {
  readonly endpoint: EndpointInfo;
  /** Whether it can take calls: it has a connection, and is not ejected. */
  readonly isReady: boolean;
  /** Whether outlier_detection lets no calls go to it. */
  readonly isEjected: boolean;
  /** Calls that were picked for it, retries included; also before it left the list, if it came back within 5 s. */
  readonly picks: number;
  /** Calls in flight, without those that last longer than `longCallAfter`; undefined for a policy that does not count calls. */
  readonly inFlight: number | undefined;
}

/** What one channel's policy knows now. A policy with a child policy has no entry of its own: the child has. */
export interface PolicyStats {
  /** As in the messages of `policyChannels`. */
  readonly target: string | undefined;
  /** The name of the policy in a service config. */
  readonly policy: string;
  /** All endpoints, connected or not, in the resolver's order. */
  readonly endpoints: readonly EndpointStats[];
}

/** A balancer that can be asked. */
export interface StatsSource {
  readonly stats: PolicyStats;
}
