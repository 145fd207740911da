import { formatDuration, messageOf, systemClock } from "@grpc-lb/core";
import { RequestGuard } from "@grpc-lb/core/http";
import { parsePodName } from "@grpc-lb/program";

/** Far longer than a pod name, so that an error can show the beginning of a wrong answer. */
const maxBodyLength = 4_096;

/** An answer whose body has not been read. */
export interface Answer {
  readonly status: number;
  /** The reason phrase, such as `Not Found`. */
  readonly phrase: string;
  /** Reads the body. @throws Error when it is longer than `maxLength` characters */
  text(maxLength: number): Promise<string>;
}

/**
 * Makes one request and returns the pod name of its answer. Settles within `timeoutMs`, whatever the server does.
 *
 * @param what the request, as error messages name it
 * @param exchange sends the request, passes its answer to `read`, and ends when the guard aborts
 * @throws Error that names the request and the reason: no connection, no answer in time, a status other than 200, or a body
 * that is not a pod name
 */
export async function getPod(
  what: string,
  timeoutMs: number,
  exchange: (guard: RequestGuard, read: (answer: Answer) => Promise<string>) => Promise<string>,
): Promise<string> {
  const guard = new RequestGuard(new AbortController().signal, systemClock, timeoutMs);
  guard.allow(timeoutMs);
  try {
    return await guard.race(exchange(guard, readPodName));
  } catch (cause) {
    const reason = guard.signal.aborted ? `no answer within ${formatDuration(timeoutMs)}` : reasonOf(cause);
    throw new Error(`${what}: ${reason}`, { cause });
  } finally {
    guard.release();
  }
}

async function readPodName(answer: Answer): Promise<string> {
  const { status, phrase } = answer;
  // The body of an error may be long or never end, and says less than the status.
  if (status !== 200) throw new Error(`${status} ${phrase}`.trimEnd());
  return parsePodName(await answer.text(maxBodyLength));
}

/** Node reports a host with several addresses as an AggregateError whose own message is empty. */
function reasonOf(cause: unknown): string {
  const parts: unknown[] = cause instanceof AggregateError ? cause.errors : [cause];
  return parts.map(messageOf).join("; ");
}
