import type { IncomingMessage } from "node:http";
import { DiscoveryError } from "../core/discovery-error.ts";

/** A Status object, which the API server sends instead of what was asked for. */
export interface Status {
  readonly message?: string;
  readonly code?: number;
  readonly details?: { readonly retryAfterSeconds?: number };
}

const maxBodyLength = 16_384;

/** Turns an answer other than 200 into an error; the server's own words name user, verb, resource and namespace. */
export async function describeRefusal(response: IncomingMessage, what: string): Promise<DiscoveryError> {
  let text = "";
  try {
    for await (const chunk of response.setEncoding("utf8")) {
      text += chunk;
      if (text.length > maxBodyLength) break;
    }
  } catch {
    // The status has said the most; that the rest of its words did not come adds nothing.
  }
  const retryAfterMs = readRetryAfter(response.headers["retry-after"]);
  return refusal(response.statusCode ?? 0, response.statusMessage ?? "", readMessage(text), what, retryAfterMs);
}

/** The error of a Status object that came in the middle of a watch. */
export function describeStatus(status: Status, what: string): DiscoveryError {
  const seconds = status.details?.retryAfterSeconds || Number.NaN; // 0 is what the API server leaves out
  return refusal(status.code ?? 0, "", status.message ?? "", what, boundRetryAfter(seconds * 1_000));
}

/** The server could not be reached, or the connection broke. */
export function unavailable(what: string, server: URL, cause: unknown): DiscoveryError {
  const parts: unknown[] = cause instanceof AggregateError ? cause.errors : [cause];
  const reason = parts.map((part) => (part instanceof Error ? part.message || part.name : String(part))).join("; ");
  return new DiscoveryError("unavailable", `kubernetes: ${what}: ${server.host}: ${reason}`, { cause });
}

function refusal(status: number, phrase: string, message: string, what: string, retryAfterMs: number | undefined) {
  const code = status === 401 || status === 403 ? "permissionDenied" : "unavailable";
  const words = [`${status} ${phrase}`.trim(), message].filter((word) => word !== "").join(": ");
  return new DiscoveryError(code, `kubernetes: ${what}: ${words}`, { status, retryAfterMs });
}

function readMessage(text: string): string {
  try {
    return (JSON.parse(text) as Status).message ?? "";
  } catch {
    return text.slice(0, 200).replace(/\s+/g, " ").trim(); // a proxy's page rather than a Status
  }
}

/** Seconds or a date (RFC 9110, 10.2.3), as milliseconds from now. */
function readRetryAfter(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return boundRetryAfter(ms);
}

function boundRetryAfter(ms: number): number | undefined {
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), 60_000);
}
