import type { Server } from "@grpc/grpc-js";
import type { Node } from "@grpc-lb/protos/envoy/config/core/v3";
import type { SnapshotCache } from "../cache/index.ts";
import type { ClientNode } from "./client-node.ts";

/** A client of the control plane: one stream. */
export interface AdsClientInfo {
  /** Unique among the streams of this server. */
  readonly id: number;
  /** Of the node that the client sent in its first request: who it is. */
  readonly node: ClientNode;
  /** The group whose resources it gets. */
  readonly group: string;
  /** Its address: `10.0.0.7:51234`. */
  readonly peer: string;
  readonly protocol: "delta" | "sotw";
  /** Since when, in milliseconds since 1970. */
  readonly connectedMs: number;
}

/** A client has rejected resources: it goes on with the last good ones. They are not sent again until they change. */
export interface AdsRejection {
  readonly client: AdsClientInfo;
  readonly typeUrl: string;
  /** The resources of the response that was rejected; the client's message says which of them it means. */
  readonly names: readonly string[];
  /** The client's reason, as one line of at most 500 characters. */
  readonly message: string;
}

/** What a client and the server know of a resource. */
export interface AdsResourceStatus {
  readonly typeUrl: string;
  readonly name: string;
  /** The version that the cache has; undefined when there is no such resource. */
  readonly version: string | undefined;
  /**
   * - `acked`: the client has accepted this version.
   * - `sent`: the client has not answered yet.
   * - `pending`: it is not sent yet, because the client is slow, the order of changes wants it later, or the cache does not know it yet.
   * - `rejected`: the client has rejected it.
   * - `missing`: the client asks for it, and there is none.
   */
  readonly state: "acked" | "sent" | "pending" | "rejected" | "missing";
  /** The client's reason for `rejected`. */
  readonly message?: string | undefined;
}

/** A client with its resources. */
export interface AdsClientStatus extends AdsClientInfo {
  readonly resources: readonly AdsResourceStatus[];
}

/** Limits of what clients may take. All are optional. */
export interface AdsLimits {
  /** Streams at a time; further ones get RESOURCE_EXHAUSTED. Default: 10 000. */
  readonly maxStreams?: number | undefined;
  /**
   * Streams at a time from one address, whatever the number of its connections; further ones get RESOURCE_EXHAUSTED. All clients behind
   * a proxy have its address. Default: 1 000.
   */
  readonly maxStreamsPerHost?: number | undefined;
  /** Names that a stream may subscribe to, over all types. Default: 100 000. */
  readonly maxSubscriptions?: number | undefined;
  /** Characters of all names that a stream subscribes to together. Default: 4 194 304, about as many as one request may have. */
  readonly maxNameCharacters?: number | undefined;
  /** Types of resources of a stream. Default: 32. */
  readonly maxTypes?: number | undefined;
  /**
   * About how large a response may become, in bytes, before the rest goes into the next one; listeners and clusters of the
   * state of the world cannot be split. Default: 1 MiB, because clients of gRPC take 4 MiB at most.
   */
  readonly maxResponseBytes?: number | undefined;
  /** How long a stream may be open without its first request, in milliseconds. Default: 10 s. */
  readonly firstRequestTimeoutMs?: number | undefined;
}

/** How a control plane serves. Only the cache is required. */
export interface AdsServerOptions {
  readonly cache: SnapshotCache;
  /** The group of a client, by all that it says of itself. It is called once for each stream. Default: one group for all, named "". */
  readonly groupOf?: ((node: Node) => string) | undefined;
  /** The control plane's name in responses. Default: none. */
  readonly identifier?: string | undefined;
  readonly limits?: AdsLimits | undefined;
  /**
   * How long listeners and routes wait at most until a client has the clusters and endpoints that are new, and removed clusters
   * and endpoints until it has the listeners and routes without them, in milliseconds. Default: 5 s.
   */
  readonly orderTimeoutMs?: number | undefined;
  readonly onConnected?: ((client: AdsClientInfo) => void) | undefined;
  /** @param reason why the stream ended, as a clause for a log */
  readonly onDisconnected?: ((client: AdsClientInfo, reason: string) => void) | undefined;
  readonly onRejected?: ((rejection: AdsRejection) => void) | undefined;
  /**
   * Called when a limit, or a request that is not valid, ends a stream or keeps it from beginning; before `onDisconnected` if the
   * client is known.
   *
   * @param reason what the client gets, as a clause for a log
   * @param peer the client's address and port
   */
  readonly onRefused?: ((reason: string, peer: string) => void) | undefined;
}

/** Counters since the start, for metrics. */
export interface AdsStats {
  /** Streams that are open. */
  readonly streams: number;
  readonly requests: number;
  readonly responses: number;
  /** Bytes of responses, before HTTP/2. */
  readonly responseBytes: number;
  readonly rejections: number;
  /** Streams that the server ended because of a limit or a request that is not valid. */
  readonly refusals: number;
}

/** A running service. */
export interface AdsServer {
  /** Adds the service to a server that has not started. */
  addTo(server: Server): void;
  /** The clients that are connected, without their resources. */
  clients(): readonly AdsClientInfo[];
  /**
   * The clients with their resources, each described when it is read: the cost grows with the number of those that are.
   *
   * @param isWanted chooses clients. Default: all
   */
  clientStatuses(isWanted?: (client: AdsClientInfo) => boolean): Iterable<AdsClientStatus>;
  stats(): AdsStats;
  /** Ends all streams with UNAVAILABLE, so that clients go to another control plane, and refuses new ones. */
  close(): void;
}
