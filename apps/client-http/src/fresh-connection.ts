import { Agent as HttpAgent, get as httpGet } from "node:http";
import { Agent as HttpsAgent, get as httpsGet } from "node:https";
import type { Caller } from "@grpc-lb/program";
import { type Answer, getPod } from "./get-pod.ts";

/**
 * Asks `url` for the pod's name over a connection of its own, which is closed afterwards: balancing happens when a
 * connection is opened, so this is what makes HTTP through a Service spread.
 */
export function callOverFreshConnections(url: URL, timeoutMs: number): Caller {
  // What a query holds may be a secret, and the path says enough.
  const what = `GET ${url.origin}${url.pathname}`;
  return { call: () => getPod(what, timeoutMs, (signal) => open(url, signal)), close: () => {} };
}

function open(url: URL, signal: AbortSignal): Promise<Answer> {
  const [get, Agent] = url.protocol === "https:" ? ([httpsGet, HttpsAgent] as const) : ([httpGet, HttpAgent] as const);
  return new Promise((resolve, reject) => {
    get(url, { agent: new Agent({ keepAlive: false }), signal }, (response) => {
      resolve({ status: response.statusCode ?? 0, statusText: response.statusMessage ?? "", body: response });
    }).on("error", reject);
  });
}
