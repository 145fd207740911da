import type { Server } from "@grpc/grpc-js";
import type { Locality } from "@grpc-lb/protos/envoy/config/core/v3";
import type { ClientNode } from "./client-node.ts";

/** The load of an endpoint or a locality, as one client saw it since its last report. */
export interface LoadCounts {
  readonly succeeded: number;
  readonly failed: number;
  /** Calls in flight at the moment of the report. */
  readonly inProgress: number;
  /** Calls that began. */
  readonly issued: number;
  /** What servers reported (ORCA), by name: how many calls ended with it, and the sum of its values. */
  readonly metrics: Readonly<Record<string, { readonly calls: number; readonly total: number }>>;
}

/** The load of an endpoint. */
export interface EndpointLoadReport extends LoadCounts {
  /** `10.0.0.7:8080`, `[::1]:8080`. */
  readonly address: string;
}

/** The load of a locality. */
export interface LocalityLoadReport extends LoadCounts {
  readonly locality: Locality;
  readonly priority: number;
  /** Empty for clients that do not report endpoints one by one, such as all of gRPC. */
  readonly endpoints: readonly EndpointLoadReport[];
}

/** The load of a cluster as one client saw it since its last report. */
export interface ClusterLoadReport {
  readonly node: ClientNode;
  readonly cluster: string;
  /** The name of the cluster's endpoints (EDS); empty when it is the cluster's. */
  readonly service: string;
  /** The time that it covers, in milliseconds. */
  readonly intervalMs: number;
  readonly localities: readonly LocalityLoadReport[];
  /** Calls that a policy dropped. */
  readonly dropped: number;
}

/** How load is taken. Only `onReport` is required. */
export interface LoadServerOptions {
  /** Called for each cluster of each report. What it throws ends the stream of the client. */
  readonly onReport: (report: ClusterLoadReport) => void;
  /** The time between two reports of a client, in milliseconds, at least 100. Default: 10 s. */
  readonly intervalMs?: number | undefined;
  /** Streams at a time; further ones get RESOURCE_EXHAUSTED. Default: 10 000. */
  readonly maxStreams?: number | undefined;
  /** Streams at a time from one address, as `maxStreamsPerHost` of ADS. Default: 1 000. */
  readonly maxStreamsPerHost?: number | undefined;
  /** How long a stream may be open without its first request, in milliseconds. Default: 10 s. */
  readonly firstRequestTimeoutMs?: number | undefined;
  /** Called when a limit, or a request that is not valid, ends a stream or keeps it from beginning, as `onRefused` of ADS. */
  readonly onRefused?: ((reason: string, peer: string) => void) | undefined;
}

/** A running service. */
export interface LoadServer {
  /** Adds the service to a server that has not started. */
  addTo(server: Server): void;
  /** Asks all clients, also those that are connected, to report that often, in milliseconds, at least 100. */
  setIntervalMs(intervalMs: number): void;
  /** Ends all streams with UNAVAILABLE, and refuses new ones. */
  close(): void;
}
