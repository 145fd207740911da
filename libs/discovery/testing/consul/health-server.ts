import { once } from "node:events";
import { createServer, type Http2Session } from "node:http2";
import type { AddressInfo } from "node:net";
import type { Address } from "../../src/core/snapshot.ts";

/** A gRPC server that reports the health that a test sets (grpc.health.v1), for the gRPC check of an agent. */
export interface HealthServer {
  readonly address: Address;
  /** The services of the requests, in order. */
  readonly requested: readonly string[];
  setServing(isServing: boolean): void;
  close(): Promise<void>;
}

/** Starts one on a free port of 127.0.0.1. */
export async function startHealthServer(): Promise<HealthServer> {
  const server = createServer();
  const sessions = new Set<Http2Session>();
  const requested: string[] = [];
  let isServing = true;
  server.on("session", (session) => {
    sessions.add(session);
    session.on("error", () => {}); // the agent has gone
    session.on("close", () => sessions.delete(session));
  });
  server.on("stream", async (stream) => {
    stream.on("error", () => {});
    const chunks: Buffer[] = [];
    for await (const chunk of stream) chunks.push(chunk);
    // A gRPC frame is a flag byte, four bytes of length and the message; the message is `string service = 1`.
    requested.push(Buffer.concat(chunks).subarray(7).toString());
    stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
    stream.end(Buffer.from([0, 0, 0, 0, 2, 8, isServing ? 1 : 2])); // `ServingStatus status = 1`
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    address: { host: "127.0.0.1", port: (server.address() as AddressInfo).port },
    requested,
    setServing(next) {
      isServing = next;
    },
    async close() {
      const closed = once(server, "close");
      server.close();
      for (const session of sessions) session.destroy();
      await closed;
    },
  };
}
