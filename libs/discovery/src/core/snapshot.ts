import type { DiscoveryError } from "./discovery-error.ts";

/** Where one endpoint can be reached. */
export interface Address {
  /** An IP address or a host name; IPv6 without brackets. */
  readonly host: string;
  readonly port: number;
}

/** One backend: a pod, a registered instance. However many addresses it has, it takes one share of the calls. */
export interface Endpoint {
  /** Its identity: the pod's uid, else its first address and port. Two snapshots that name the same id mean the same backend. */
  readonly id: string;
  /** At least one; the preferred family first. */
  readonly addresses: readonly Address[];
  /** Its share relative to the others; 1 unless the source knows better. */
  readonly weight: number;
  /** topology.kubernetes.io/zone, where the source knows it. */
  readonly zone: string | undefined;
  /** The zones that should use it (EndpointSlice hints); empty when there are no hints. */
  readonly forZones: readonly string[];
  readonly nodeName: string | undefined;
  /** What else is known, such as `podName`; for logs, and for policies that choose by it. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** A part of the calls that a client drops, to protect servers that are overloaded. */
export interface Drop {
  /** Why, for messages and statistics. */
  readonly category: string;
  /** From 0 to 1, of the calls that earlier entries let through. */
  readonly fraction: number;
}

/**
 * All that a source knows at one moment: never a delta. Endpoints are deduplicated and in a stable order, and one that did
 * not change is the same object as in the snapshot before.
 */
export interface Snapshot {
  /** What is watched, for messages: `service default/server`. */
  readonly subject: string;
  /**
   * The endpoints to use now; after an error still the last good ones. Undefined while nothing is known: then
   * `error` says why.
   */
  readonly endpoints: readonly Endpoint[] | undefined;
  /** When the source last heard from its server, in the clock's milliseconds; undefined for never. */
  readonly lastSyncMs: number | undefined;
  /**
   * What keeps the source from its server, until it has heard from it again; else why it has no endpoints, where it knows: no
   * such service, no such port.
   */
  readonly error: DiscoveryError | undefined;
  /** The gRPC service config that the service itself has, in JSON; undefined if it has none. */
  readonly serviceConfig: string | undefined;
  /** The calls that are to be dropped, where the source has a control plane that says so. Default: none. */
  readonly drops?: readonly Drop[];
  /** Why the service config cannot be read; undefined if it can. The endpoints are not affected. */
  readonly serviceConfigError?: DiscoveryError | undefined;
}
