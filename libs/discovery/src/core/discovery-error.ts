/**
 * Why a source cannot do its work.
 *
 * - `notFound`: what the target names does not exist: no such Service, file, DNS name or kubeconfig.
 * - `invalid`: it exists and cannot be used: a broken file, a value that does not describe an endpoint, a wrong target.
 * - `permissionDenied`: the server refuses the caller (401, 403). Retries back off longer, as an operator has to act.
 * - `unavailable`: the server cannot be reached, or fails.
 * - `portNotFound`: the service has no such port.
 */
export type DiscoveryErrorCode = "notFound" | "invalid" | "permissionDenied" | "unavailable" | "portNotFound";

/** A message is cut here, in characters. Servers' words are cut before. */
const maxMessageLength = 4_000;

/**
 * The error of discovery; its message names the source, the operation and its object. It is one line without characters that
 * control a terminal, whatever a server sent.
 */
export class DiscoveryError extends Error {
  override readonly name = "DiscoveryError";
  readonly code: DiscoveryErrorCode;
  /** How long the server wants no further request (Retry-After), in milliseconds. */
  readonly retryAfterMs: number | undefined;
  /** The HTTP status, where the server gave one. */
  readonly status: number | undefined;

  constructor(
    code: DiscoveryErrorCode,
    message: string,
    options: ErrorOptions & { retryAfterMs?: number | undefined; status?: number | undefined } = {},
  ) {
    super(onOneLine(message), options);
    this.code = code;
    this.retryAfterMs = options.retryAfterMs;
    this.status = options.status;
  }
}

/** Foreign text for a message: on one line, without characters that control a terminal, and cut after `length` characters. */
export function printable(text: string, length: number): string {
  const cut = text.length > length ? `${text.slice(0, length)}…` : text;
  return cut.replaceAll(/[\p{C}\p{Zl}\p{Zp}]/gu, "\u{fffd}");
}

/** Replaces line breaks by spaces, and other characters that control a terminal by U+FFFD. */
function onOneLine(text: string): string {
  const cut = text.length > maxMessageLength ? `${text.slice(0, maxMessageLength)}…` : text;
  return printable(cut.replaceAll(/ *[\r\n\u2028\u2029]\s*/g, " "), cut.length);
}
