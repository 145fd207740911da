import type { status } from "@grpc/grpc-js";

/** How a call ended that did not end well. Its users turn it into the error of their own library. */
export class RpcStatus extends Error {
  override readonly name = "RpcStatus";
  readonly code: status;

  constructor(code: status, details: string, options?: ErrorOptions) {
    super(details, options);
    this.code = code;
  }
}

/** What grpc-js wraps around the reason why it could not connect, a time included that makes each failure another. */
const wrapped =
  /^No connection established\. Last error: (?:Error: )?(.*?)(?: \(\d{4}-[^)]*Z\))?\. Resolution note: .*$/s;

/** A longer reason is cut before it is searched, in characters. */
const maxReason = 8_000;
/** In characters: without shorter ones the reason could not be read. */
const minSecretLength = 4;

/**
 * A reason of grpc-js or of a peer without the secrets of the call, in case the peer repeats them, and without the time and the address
 * in it: without them the same failure of each try reads the same.
 *
 * @param secrets what the reason must not repeat: a password, a token
 */
export function plainReason(reason: string, secrets: readonly string[] = []): string {
  let plain = reason;
  for (const spelling of secrets.flatMap(spellingsOf)) plain = plain.replaceAll(spelling, "…");
  return plain
    .slice(0, maxReason)
    .replace(wrapped, "$1")
    .replace(/ (?:\[[^\]\s]*\]|[^\s:]+|[0-9a-f:]+):\d+$/, "");
}

/** A secret in the spellings that a server's message may have it in: as it is, quoted, in a URL and in base64. */
function spellingsOf(secret: string): readonly string[] {
  if (secret.length < minSecretLength) return [];
  const base64 = Buffer.from(secret).toString("base64").replace(/=+$/, "");
  const quoted = JSON.stringify(secret).slice(1, -1);
  return [secret, quoted, encodeURIComponent(secret.toWellFormed()), base64];
}
