import { createSource, type KubernetesTarget } from "@grpc-lb/discovery";
import type { ObserveRequest } from "@grpc-lb/operations/telemetry";
import type { Caller } from "@grpc-lb/program";
import { BalancedDispatcher, type DispatcherStats } from "@grpc-lb/resolver/undici";
import { type Dispatcher, request } from "undici";
import { type Answer, getPod } from "./get-pod.ts";

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
  observe: ObserveRequest,
): BalancedCaller {
  const source = createSource(target, { background: true }); // the calls keep the process alive
  const dispatcher = new BalancedDispatcher(source);
  const path = "/pod";
  const url = new URL(`http://${target.service}${path}`);
  const podRequest = { what: `GET ${source.subject}${path}`, url, timeoutMs, observe };
  return {
    path,
    call: () =>
      getPod(podRequest, async ({ signal }, read, headers) => {
        const response = await request(url, { dispatcher, signal, headers });
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

function answerOf({ statusCode, statusText, body }: Dispatcher.ResponseData): Answer {
  return {
    status: statusCode,
    phrase: statusText,
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
