import type { AddressInfo } from "node:net";
import type { Pod } from "@grpc-lb/protos/pod/v1";
import { type FastifyInstance, type FastifyReply, fastify } from "fastify";
import { listenHost } from "./listen-host.ts";
import type { Readiness } from "./readiness.ts";
import type { Workload } from "./workload.ts";

/** An HTTP server that listens. */
export interface HttpServer {
  readonly port: number;
  /** Takes no new connection; resolves when the requests under way are answered and every connection is closed. */
  close(): Promise<void>;
  /** Cuts what is still open, so that a pending `close` resolves. */
  cut(): void;
}

/**
 * The HTTP side: `GET /pod` (the bare pod name, through `workload`), `GET /` (all that is known, as JSON), `GET /healthz` (the process lives,
 * also while it drains) and `GET /readyz` (503 from the moment new calls are not wanted).
 */
export async function listenHttp(
  pod: Pod,
  readiness: Readiness,
  workload: Workload,
  options: { readonly host: string; readonly port: number },
): Promise<HttpServer> {
  // While closing, Fastify would answer 503 on connections that are still open: those calls must succeed.
  const app = fastify({ return503OnClosing: false, forceCloseConnections: "idle" });
  app.addHook("onRequest", async (_request, reply) => {
    // A client that keeps its connection must look for another pod before this one is gone.
    if (!readiness.isReady) reply.header("connection", "close");
  });
  route(app, pod, readiness, workload);
  await app.listen({ host: listenHost(options.host), port: options.port });
  return {
    port: (app.server.address() as AddressInfo).port,
    close: () => app.close(),
    cut: () => app.server.closeAllConnections(),
  };
}

function route(app: FastifyInstance, pod: Pod, readiness: Readiness, workload: Workload): void {
  app.get("/pod", async (_request, reply) => {
    const outcome = await workload.serve(() => goneSignal(reply));
    if (outcome === "cancelled") return reply.hijack(); // nobody is there to answer to
    reply.type("text/plain");
    return outcome === "answered" ? pod.name : reply.code(503).send(`${pod.name} fails by --error-rate`);
  });
  app.get("/", () => pod);
  app.get("/healthz", (_request, reply) => reply.type("text/plain").send("ok"));
  app.get("/readyz", (_request, reply) =>
    readiness.isReady ? reply.type("text/plain").send("ok") : reply.code(503).type("text/plain").send("draining"),
  );
}

/** Aborted when the connection ends before the answer. */
function goneSignal(reply: FastifyReply): AbortSignal {
  const gone = new AbortController();
  reply.raw.once("close", () => gone.abort()); // after an answer too, when nobody listens any more
  return gone.signal;
}
