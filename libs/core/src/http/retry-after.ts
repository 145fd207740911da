/** A server's wish is obeyed up to here, in milliseconds: a longer one would look like a client that has died. */
const mostMs = 60_000;

/**
 * Reads a `Retry-After` header: seconds or a date (RFC 9110, section 10.2.3).
 *
 * @returns milliseconds from now, from 0 to 60 s; undefined without a header, or for one that cannot be read
 */
export function readRetryAfter(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  return boundRetryAfter(/^\d+$/.test(value) ? Number(value) * 1_000 : Date.parse(value) - Date.now());
}

/** The same bounds for a time that was given otherwise; undefined for NaN. */
export function boundRetryAfter(ms: number): number | undefined {
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), mostMs);
}
