/**
 * Why a source cannot do its work. `target`: what is asked for is not there (no such Service, no kubeconfig), and trying
 * again helps only when a person makes it. `denied`: the server refuses who asks (401, 403). `unavailable`: the server
 * cannot be reached, or fails. `port`: the service has no such port.
 */
export type DiscoveryErrorCode = "target" | "denied" | "unavailable" | "port";

/** The one error of discovery; its message says who, what and to what. */
export class DiscoveryError extends Error {
  override readonly name = "DiscoveryError";
  readonly code: DiscoveryErrorCode;
  /** How long the server asked to be left alone (Retry-After), in milliseconds. */
  readonly retryAfterMs: number | undefined;
  /** The HTTP status, where the server gave one. */
  readonly status: number | undefined;

  constructor(
    code: DiscoveryErrorCode,
    message: string,
    options: ErrorOptions & { retryAfterMs?: number | undefined; status?: number | undefined } = {},
  ) {
    super(message, options);
    this.code = code;
    this.retryAfterMs = options.retryAfterMs;
    this.status = options.status;
  }
}
