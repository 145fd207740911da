import { createSource, type KubernetesTarget } from "@grpc-lb/discovery";
import type { Caller } from "@grpc-lb/program";
import { BalancedDispatcher, type DispatcherStats } from "@grpc-lb/resolver/undici";
import { buildConnector, type Dispatcher, request } from "undici";
import { type Answer, getPod } from "./get-pod.ts";
import { authorize, type CallParts, connectOptions } from "./identity.ts";

/** A caller that knows its endpoints. */
export interface BalancedCaller extends Caller {
  /** What it knows of them now. */
  stats(): DispatcherStats;
}

/**
 * Creates a caller that watches the endpoints of a service and calls one after the other, without the Service, over connections
 * that it keeps: this client balances by itself.
 */
export function callOverEndpoints(
  target: KubernetesTarget,
  timeoutMs: number,
  { observe, identity }: CallParts,
): BalancedCaller {
  const source = createSource(target, { background: true }); // the calls keep the process alive
  // A connector for each connection, so that it has the certificates of now.
  const connect: buildConnector.connector = (options, done) => buildConnector(connectOptions(identity))(options, done);
  const dispatcher = new BalancedDispatcher(source, identity.tls ? { connect } : {});
  const path = "/pod";
  const url = new URL(`${identity.tls ? "https" : "http"}://${target.service}${path}`);
  const podRequest = { what: `GET ${source.subject}${path}`, url, timeoutMs, observe };
  return {
    path,
    call: () =>
      getPod(podRequest, async ({ signal }, read, headers) => {
        const authorization = await authorize(identity);
        const response = await request(url, { dispatcher, signal, headers: { ...headers, ...authorization } });
        try {
          return await read(answerOf(response));
        } finally {
          response.body.on("error", () => {}).destroy(); // no effect on one that was read to its end
        }
      }),
    close: () => void dispatcher.destroy(),
    stats: () => dispatcher.stats(),
  };
}

function answerOf({ statusCode, statusText, headers, body }: Dispatcher.ResponseData): Answer {
  return {
    status: statusCode,
    phrase: statusText,
    headers,
    async text(maxLength) {
      let text = "";
      for await (const chunk of body.setEncoding("utf8")) {
        text += chunk;
        if (text.length > maxLength) throw new Error(`the answer is longer than ${maxLength} characters`);
      }
      return text;
    },
  };
}
