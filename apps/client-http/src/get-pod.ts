import type { Readable } from "node:stream";
import { formatDuration } from "@grpc-lb/core";

/** A pod name is a DNS label or subdomain: at most 253 characters, in one line. */
const podName = /^\S{1,253}$/;

/** An answer whose body has not been read. */
export interface Answer {
  readonly status: number;
  readonly statusText: string;
  readonly body: Readable;
}

/**
 * Asks for a pod's name.
 *
 * @param what the request as messages name it
 * @param open makes the request; ended by its signal
 * @throws Error that names the request and why it failed: no connection, no answer in time, a status other than 200, or a
 * body that is no pod name
 */
export async function getPod(
  what: string,
  timeoutMs: number,
  open: (signal: AbortSignal) => Promise<Answer>,
): Promise<string> {
  const timeout = AbortSignal.timeout(timeoutMs);
  try {
    const { status, statusText, body } = await open(timeout);
    if (status !== 200) {
      body.on("error", () => {}).destroy(); // an error page may be long or never end, and says less than the status
      throw new Error(`${status} ${statusText}`.trimEnd());
    }
    const text = await readText(body);
    if (!podName.test(text)) throw new Error(`the answer is no pod name: ${JSON.stringify(text.slice(0, 80))}`);
    return text;
  } catch (cause) {
    const reason = timeout.aborted ? `no answer within ${formatDuration(timeoutMs)}` : why(cause);
    throw new Error(`${what}: ${reason}`, { cause });
  }
}

async function readText(body: Readable): Promise<string> {
  const maxBytes = 4096;
  let text = "";
  for await (const chunk of body.setEncoding("utf8")) {
    text += chunk;
    if (text.length > maxBytes) throw new Error(`the answer is longer than ${maxBytes} bytes`);
  }
  return text;
}

/** Node reports a host with several addresses as an AggregateError whose own message is empty. */
function why(cause: unknown): string {
  const parts: unknown[] = cause instanceof AggregateError ? cause.errors : [cause];
  return parts.map((part) => (part instanceof Error ? part.message : String(part))).join("; ");
}
