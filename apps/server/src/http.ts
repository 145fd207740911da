import type { AddressInfo } from "node:net";
import type { Pod } from "@grpc-lb/protos/pod/v1";
import { type FastifyInstance, fastify } from "fastify";
import { listenHost } from "./listen-host.ts";
import type { Readiness } from "./readiness.ts";

/** An HTTP server that listens. */
export interface HttpServer {
  readonly port: number;
  /** Takes no new connection; resolves when the requests under way are answered and every connection is closed. */
  close(): Promise<void>;
  /** Cuts what is still open, so that a pending `close` resolves. */
  cut(): void;
}

/**
 * The HTTP side: `GET /pod` (the bare pod name), `GET /` (all that is known, as JSON), `GET /healthz` (the process lives,
 * also while it drains) and `GET /readyz` (503 from the moment new calls are not wanted).
 */
export async function listenHttp(pod: Pod, readiness: Readiness, host: string, port: number): Promise<HttpServer> {
  // While closing, Fastify would answer 503 on connections that are still open: those calls must succeed.
  const app = fastify({ return503OnClosing: false, forceCloseConnections: "idle" });
  app.addHook("onRequest", async (_request, reply) => {
    // A client that keeps its connection must look for another pod before this one is gone.
    if (!readiness.isReady) reply.header("connection", "close");
  });
  route(app, pod, readiness);
  await app.listen({ host: listenHost(host), port });
  return {
    port: (app.server.address() as AddressInfo).port,
    close: () => app.close(),
    cut: () => app.server.closeAllConnections(),
  };
}

function route(app: FastifyInstance, pod: Pod, readiness: Readiness): void {
  app.get("/pod", (_request, reply) => reply.type("text/plain").send(pod.name));
  app.get("/", () => pod);
  app.get("/healthz", (_request, reply) => reply.type("text/plain").send("ok"));
  app.get("/readyz", (_request, reply) =>
    readiness.isReady ? reply.type("text/plain").send("ok") : reply.code(503).type("text/plain").send("draining"),
  );
}
