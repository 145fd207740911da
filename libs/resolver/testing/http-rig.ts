import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";
import { assertNothingLeft, ManualClock } from "@grpc-lb/core/testing";
import type { Endpoint } from "@grpc-lb/discovery";
import { type Dispatcher, request } from "undici";
import type { BalancedDispatcherOptions } from "../src/undici/index.ts";
import { SourceDispatcher } from "../src/undici/source-dispatcher.ts";
import { endpointAt, FakeSource } from "./fake-source.ts";

/** A real HTTP server on a free port. */
export interface HttpPod {
  readonly port: number;
  readonly endpoint: Endpoint;
  readonly seen: IncomingMessage[];
  /** Answers a request; by default with the pod's name. */
  serve: (incoming: IncomingMessage, response: ServerResponse) => void;
}

/** Servers, a source and a dispatcher that begins with the first endpoint; they end with the test, and nothing may be left. */
export async function startHttpRig(
  t: TestContext,
  names: readonly string[],
  { host = "127.0.0.1", ...options }: BalancedDispatcherOptions & { readonly host?: string } = {},
) {
  const source = new FakeSource();
  const clock = new ManualClock();
  const parts = { source, target: "kubernetes:///server", agentOptions: options };
  const dispatcher = new SourceDispatcher(parts, { random: () => 1 - 2 ** -16, clock });
  const started = names.map(async (name): Promise<[HttpPod, ReturnType<typeof createServer>]> => {
    const server = createServer((incoming, response) => {
      pod.seen.push(incoming);
      pod.serve(incoming, response);
    }).listen(0, host);
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const endpoint = { ...endpointAt(port), addresses: [{ host, port }] };
    const pod: HttpPod = { port, endpoint, seen: [], serve: (_incoming, response) => response.end(name) };
    return [pod, server];
  });
  const all = await Promise.all(started);
  t.after(async () => {
    await dispatcher.destroy();
    assert.equal(source.openRuns, 0);
    // Servers stop listening and close no connection: one that the dispatcher left open is found.
    for (const [, server] of all) server.close();
    await assertNothingLeft();
  });
  return { source, clock, dispatcher, pods: all.map(([pod]) => pod) as [HttpPod, HttpPod, HttpPod] };
}

/** Requests one URL. @returns the text of the answer */
export async function get(
  dispatcher: Dispatcher,
  options: { headers?: unknown; signal?: AbortSignal; method?: "POST"; body?: unknown } = {},
): Promise<string> {
  const response = await request("http://server.default/pod?x=1", { dispatcher, ...(options as object) });
  return await response.body.text();
}
