import { Agent as HttpAgent, get as httpGet, type IncomingMessage } from "node:http";
import { Agent as HttpsAgent, get as httpsGet } from "node:https";
import { formatDuration } from "@grpc-lb/runtime";

/** A pod name is a DNS label or subdomain: at most 253 characters, in one line. */
const podName = /^\S{1,253}$/;

/**
 * Asks `url` for the pod's name over a connection of its own, which is closed afterwards: balancing happens when a
 * connection is opened, so this is what makes HTTP through a Service spread.
 *
 * @throws Error that names the request and why it failed: no connection, no answer in time, a status other than 200, or a
 * body that is no pod name
 */
export async function getPod(url: URL, timeoutMs: number): Promise<string> {
  const timeout = AbortSignal.timeout(timeoutMs);
  try {
    const response = await open(url, timeout);
    if (response.statusCode !== 200) {
      response.destroy(); // an error page may be long or never end, and says less than the status
      throw new Error(`${response.statusCode} ${response.statusMessage}`.trimEnd());
    }
    const body = await readText(response);
    if (!podName.test(body)) throw new Error(`the answer is no pod name: ${JSON.stringify(body.slice(0, 80))}`);
    return body;
  } catch (cause) {
    throw new Error(`GET ${url}: ${timeout.aborted ? `no answer within ${formatDuration(timeoutMs)}` : why(cause)}`, {
      cause,
    });
  }
}

function open(url: URL, signal: AbortSignal): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const [get, Agent] =
      url.protocol === "https:" ? ([httpsGet, HttpsAgent] as const) : ([httpGet, HttpAgent] as const);
    get(url, { agent: new Agent({ keepAlive: false }), signal }, resolve).on("error", reject);
  });
}

async function readText(response: IncomingMessage): Promise<string> {
  const maxBytes = 4096;
  let text = "";
  for await (const chunk of response.setEncoding("utf8")) {
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
