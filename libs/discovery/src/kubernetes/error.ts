import { messageOf } from "@grpc-lb/core";
import { boundRetryAfter, type HttpAnswer, readRetryAfter } from "@grpc-lb/core/http";
import { DiscoveryError } from "../core/discovery-error.ts";
import { parseAnswer, readStatus, type Status } from "./reader.ts";

/** Of the words of a refusal. */
const maxBodyLength = 16_384;

/** Turns an answer other than 200 into an error; the server's own words name user, verb, resource and namespace. */
export async function describeRefusal(answer: HttpAnswer, what: string): Promise<DiscoveryError> {
  const text = await answer.beginning(maxBodyLength);
  const retryAfterMs = readRetryAfter(answer.headers["retry-after"]);
  return refusal(answer.status, answer.phrase, readMessage(text), what, retryAfterMs);
}

/** The error of a Status object that came in the middle of a watch. */
export function describeStatus({ code, message, retryAfterSeconds }: Status, what: string): DiscoveryError {
  const retryAfterMs = boundRetryAfter((retryAfterSeconds || Number.NaN) * 1_000); // the API server omits a 0
  return refusal(code, "", message, what, retryAfterMs);
}

/** The server could not be reached, the connection broke, or the answer cannot be read. */
export function describeUnavailable(what: string, server: URL, cause: unknown, proxy?: URL): DiscoveryError {
  const parts: unknown[] = cause instanceof AggregateError ? cause.errors : [cause];
  const reason = parts.map(messageOf).join("; ");
  const way = proxy && !reason.includes(proxy.host) ? ` through proxy ${proxy.host}` : "";
  return new DiscoveryError("unavailable", `kubernetes: ${what}: ${server.host}${way}: ${reason}`, { cause });
}

function refusal(
  status: number | undefined,
  phrase: string,
  message: string,
  what: string,
  retryAfterMs: number | undefined,
): DiscoveryError {
  const code = status === 401 || status === 403 ? "permissionDenied" : "unavailable";
  const words = [`${status ?? ""} ${phrase}`.trim(), message].filter((word) => word !== "").join(": ");
  return new DiscoveryError(code, `kubernetes: ${what}: ${words || "an error without a code or a message"}`, {
    status,
    retryAfterMs,
  });
}

function readMessage(text: string): string {
  try {
    return readStatus(parseAnswer(text)).message;
  } catch {
    return text.slice(0, 200).replace(/\s+/g, " ").trim(); // a proxy's page rather than a Status
  }
}
