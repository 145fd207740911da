import type { Policy } from "./policy.ts";

/** What the control plane serves. Checked once, by `readConfig`: from there on, names refer to what exists. */
export interface Config {
  /** By name; in the order of the configuration. */
  readonly services: ReadonlyMap<string, Service>;
}

/** One name that clients call: a listener and a route; and a cluster of endpoints, unless it splits its calls. */
export interface Service {
  readonly name: string;
  readonly route: Route;
  readonly backend: Backend | Split;
}

/** How the calls to a name are made, whichever endpoints take them. */
export interface Route {
  /** The longest that a call may take, in milliseconds; undefined for no limit. */
  readonly timeoutMs: number | undefined;
  readonly retries: Retries | undefined;
  /** The request header that a hash policy hashes; undefined for none. */
  readonly hashHeader: string | undefined;
  /** The port that Envoy listens on for this service; undefined for no listener there. */
  readonly envoyPort: number | undefined;
  /** The IP address of that port. */
  readonly envoyAddress: string;
}

/** The conditions under which a call is tried again: those that gRPC and Envoy share (gRFC A44). */
export const retryConditions = [
  "cancelled",
  "deadline-exceeded",
  "internal",
  "resource-exhausted",
  "unavailable",
] as const;

/** When a failed call is tried again. */
export interface Retries {
  /** Tries in addition to the first; from 1. */
  readonly attempts: number;
  readonly on: readonly (typeof retryConditions)[number][];
  /** The bounds of the exponential backoff between tries, in milliseconds. */
  readonly baseBackoffMs: number;
  readonly maxBackoffMs: number;
}

/** Calls are split between other services of the configuration, by weight. */
export interface Split {
  readonly t: "split";
  /** At least one has a weight above 0. */
  readonly parts: readonly { readonly service: string; readonly weight: number }[];
}

/** A cluster: endpoints from sources, and how clients treat them. */
export interface Backend {
  readonly t: "backend";
  /** At least one. Endpoints of priority 0 take the calls while enough of them are healthy, then those of 1, and so on. */
  readonly sources: readonly { readonly target: string; readonly priority: number }[];
  readonly policy: Policy;
  readonly outlierDetection: OutlierDetection | undefined;
  readonly circuitBreaker: CircuitBreaker;
  /** By zone. A zone that is not named has priority 0, and the weight of its endpoints together. */
  readonly localities: ReadonlyMap<string, Locality>;
  /** The share of the calls that clients drop, in percent, from 0 to 100. */
  readonly dropPercent: number;
  readonly steering: Steering;
}

/** What is configured of a zone. */
export interface Locality {
  /** Its share relative to the other zones; undefined for the sum of its endpoints' weights. */
  readonly weight: number | undefined;
  /** Within the priority of the source. */
  readonly priority: number;
}

/** Limits of each client. */
export interface CircuitBreaker {
  /** Calls in progress; both gRPC and Envoy keep it. */
  readonly maxRequests: number;
  /** Connections of Envoy. */
  readonly maxConnections: number;
  /** Calls that wait for a connection of Envoy. */
  readonly maxPendingRequests: number;
}

/** When an endpoint is left out for a while because its calls fail (gRFC A50). */
export interface OutlierDetection {
  readonly intervalMs: number;
  readonly baseEjectionTimeMs: number;
  readonly maxEjectionTimeMs: number;
  readonly maxEjectionPercent: number;
  /** Ejects after so many gateway or gRPC errors in a row; Envoy's alone. Undefined for never. */
  readonly consecutiveErrors: number | undefined;
  /** Ejects an endpoint whose share of failed calls reaches `threshold` percent; undefined for never. */
  readonly failurePercentage:
    | { readonly threshold: number; readonly minimumHosts: number; readonly requestVolume: number }
    | undefined;
  /** Ejects an endpoint that succeeds less often than the mean minus `stdevFactor`/1000 deviations; undefined for never. */
  readonly successRate:
    | { readonly stdevFactor: number; readonly minimumHosts: number; readonly requestVolume: number }
    | undefined;
}

/** Where the load comes from that changes the weights of endpoints, and how it does. */
export interface Steering {
  /** `orca`: reports of the endpoints' OpenRcaService. `lrs`: reports of the clients. */
  readonly by: "off" | "orca" | "lrs";
  /** How often weights are computed, and the interval of reports, in milliseconds. */
  readonly intervalMs: number;
  /** The least and the most that a weight is multiplied by. */
  readonly minFactor: number;
  readonly maxFactor: number;
}
