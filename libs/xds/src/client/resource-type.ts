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
  /** @throws Error for bytes that are not a resource of the type; then the response is rejected */
  decode(bytes: Uint8Array): DecodedResource<T>;
}

/** A resource of the right type, whose content is not checked yet. */
export interface DecodedResource<T> {
  /** The name that it has in itself. */
  readonly name: string;
  /** @throws Error with the reason why it cannot be used; then the response is rejected, and the last good resource stays */
  read(): T;
}

/** Receives what is known of one resource. */
export interface ResourceWatcher<T> {
  /**
   * A new or changed resource.
   *
   * @param isReturn whether it is the first answer of a stream that is not the first: a control plane that has just started may not
   * know everything yet
   */
  onResource(value: T, isReturn: boolean): void;
  /**
   * The control plane has no such resource.
   *
   * @param isStated whether it says so. Otherwise it has said nothing of the resource for 15 s, and may have it later: gRFC A27 takes
   * both for the same
   */
  onMissing(isReturn: boolean, isStated: boolean): void;
  /**
   * The control plane cannot be reached, or has sent a resource that cannot be used (`invalid`). The last good resource stays: what
   * was handed over before is still the newest that is known.
   */
  onError(error: XdsError): void;
  /** The stream is well, and what was handed over is still current: called when the resource comes again without a change, a second
   * after a reconnect, and every 10 s. */
  onCurrent(): void;
}
