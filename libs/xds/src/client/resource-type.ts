import type { XdsError } from "./error.ts";

/** A kind of resource that a client can watch, and how it is read. */
export interface ResourceType<T> {
  /** `type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment`. */
  readonly typeUrl: string;
  /** For messages: `EDS`. */
  readonly name: string;
  /**
   * Whether a state-of-the-world response has all resources of the type, so that one which is not in it does not exist: true for
   * listeners and clusters. Default: false, as for routes and endpoints.
   */
  readonly isComplete?: boolean;
  /**
   * Reads a resource.
   *
   * @throws Error with the reason why it cannot be used; then the response is rejected and the last good resource stays
   */
  read(bytes: Uint8Array): T;
  /** The name that a resource has in itself; undefined if it cannot be read. Never throws. */
  nameOf(bytes: Uint8Array): string | undefined;
}

/** Receives what is known of one resource. */
export interface ResourceWatcher<T> {
  /** A new or changed resource. */
  onResource(value: T): void;
  /** The control plane has no such resource: it says so, or says nothing of it for 15 s. */
  onMissing(): void;
  /**
   * The control plane cannot be reached, or has sent a resource that cannot be used (`invalid`). The last good resource stays: what
   * was handed over before is still the newest that is known.
   */
  onError(error: XdsError): void;
  /** The stream is well, and what was handed over is still current: called when the resource comes again without a change, a second
   * after a reconnect, and every 10 s. */
  onCurrent(): void;
}
