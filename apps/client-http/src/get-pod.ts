import { formatDuration, messageOf, printableLine, systemClock } from "@grpc-lb/core";
import { RequestGuard } from "@grpc-lb/core/http";
import type { ObserveRequest } from "@grpc-lb/operations/telemetry";
import { describeHandshakeFailure } from "@grpc-lb/operations/tls";
import { parsePodName } from "@grpc-lb/program";

/** Far longer than a pod name, so that an error can show the beginning of a wrong answer. */
const maxBodyLength = 4_096;

/** The longest reason of a refusal that an error shows, in UTF-16 code units. */
const maxReasonLength = 200;

/** An answer whose body has not been read. */
export interface Answer {
  readonly status: number;
  /** The reason phrase, such as `Not Found`. */
  readonly phrase: string;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** Reads the body. @throws Error when it is longer than `maxLength` characters */
  text(maxLength: number): Promise<string>;
}

/** Sends a request. */
export type SendRequest = (
  guard: RequestGuard,
  read: (answer: Answer) => Promise<string>,
  headers: Readonly<Record<string, string>>,
) => Promise<string>;

/** One request for a pod name. */
export interface PodRequest {
  /** The request, as error messages name it. */
  readonly what: string;
  /** Its URL. */
  readonly url: URL;
  readonly timeoutMs: number;
  readonly observe: ObserveRequest;
}

/**
 * Makes one request and returns the pod name of its answer. Settles within `timeoutMs`, whatever the server does.
 *
 * @param exchange sends the request with these headers, passes its answer to `read`, and ends when the guard aborts
 * @throws Error that names the request and the reason: no connection, no answer in time, a status other than 200 with the
 * server's reason to refuse a token, or a body that is not a pod name
 */
export function getPod({ what, url, timeoutMs, observe }: PodRequest, exchange: SendRequest): Promise<string> {
  return observe({ method: "GET", url }, async ({ headers, answered }) => {
    const guard = new RequestGuard(new AbortController().signal, systemClock, timeoutMs);
    guard.allow(timeoutMs);
    const read = (answer: Answer) => {
      answered(answer.status);
      return readPodName(answer);
    };
    try {
      return await guard.race(exchange(guard, read, headers));
    } catch (cause) {
      const reason = guard.signal.aborted ? `no answer within ${formatDuration(timeoutMs)}` : reasonOf(cause, url);
      throw new Error(`${what}: ${reason}`, { cause });
    } finally {
      guard.release();
    }
  });
}

async function readPodName(answer: Answer): Promise<string> {
  const { status, phrase, headers } = answer;
  // The body of an error may be long or never end, and says less than the status and its header.
  if (status !== 200) {
    const reason = refusalOf(String(headers["www-authenticate"] ?? ""));
    throw new Error(`${status} ${phrase}`.trimEnd() + (reason && `: ${reason}`));
  }
  return parsePodName(await answer.text(maxBodyLength));
}

/** Why a server refuses a token, from its header `WWW-Authenticate`; empty without a reason: https://www.rfc-editor.org/rfc/rfc6750#section-3 */
function refusalOf(challenge: string): string {
  const [, reason = ""] = /\berror_description="([^"\\]*)"/.exec(challenge) ?? [];
  return printableLine(reason, maxReasonLength);
}

/** Node reports a host with several addresses as an AggregateError whose own message is empty. */
function reasonOf(cause: unknown, { protocol }: URL): string {
  const parts: unknown[] = cause instanceof AggregateError ? cause.errors : [cause];
  return parts
    .map(messageOf)
    .map((message) => {
      // A server of Node sends no alert for a certificate that it does not accept.
      if (protocol === "https:" && hangUp.test(message))
        return `${message}; the server may refuse the client's certificate`;
      return describeHandshakeFailure(message) ?? message;
    })
    .join("; ");
}

/** A connection that ends or is reset before its answer, as Node and undici write it. */
const hangUp = /^(socket hang up|other side closed|read ECONNRESET)$/;
