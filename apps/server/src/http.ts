import { createServer, type RequestListener, type Server, type ServerOptions } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { createHttpAuth, type ServerAuth } from "@grpc-lb/operations/auth";
import { createFaultHook, type FaultInjector, goneSignal } from "@grpc-lb/operations/faults";
import { type Logger, logHttpRequests } from "@grpc-lb/operations/logs";
import type { Telemetry } from "@grpc-lb/operations/telemetry";
import { keepCurrent, type ReloadingCredentials, tlsServerOptions } from "@grpc-lb/operations/tls";
import { listenHost } from "@grpc-lb/program";
import type { Pod } from "@grpc-lb/protos/pod/v1";
import { type FastifyInstance, fastify } from "fastify";
import { ConnectionTable } from "./connection-table.ts";
import { type HandshakeOptions, limitHandshakes } from "./handshakes.ts";
import type { Readiness } from "./readiness.ts";
import { refuseConnections } from "./refuse-connections.ts";
import type { Workload } from "./workload.ts";

/** An HTTP server that listens. */
export interface HttpServer {
  readonly port: number;
  /** Accepts no new connection; resolves when the requests in progress are answered and every connection is closed. */
  close(): Promise<void>;
  /** Cuts the connections that are open, so that a pending `close` resolves. */
  cut(): void;
}

/** Bounds of what the peers of an HTTP server can make it hold. Node limits the headers of a request to 16 kB. */
export interface HttpLimits {
  readonly maxConnections: number;
  readonly maxBodyBytes: number;
  /** From the first byte of a connection or request to the end of the request; checked every `checkIntervalMs`. */
  readonly requestTimeoutMs: number;
  readonly checkIntervalMs: number;
  /** How long a connection may have no request: longer than the 60 s of most proxies. */
  readonly keepAliveTimeoutMs: number;
  /** How many requests of a connection may wait for their answers, or for a peer that reads them; with more it is closed. */
  readonly maxPipelined: number;
}

export const defaultHttpLimits: HttpLimits = {
  maxConnections: 1_000,
  maxBodyBytes: 16_384,
  requestTimeoutMs: 10_000,
  checkIntervalMs: 2_000,
  keepAliveTimeoutMs: 72_000,
  maxPipelined: 32,
};

/** Where the HTTP server listens, and how. */
export interface HttpOptions {
  readonly host: string;
  readonly port: number;
  /** Default: `defaultHttpLimits`. */
  readonly limits?: HttpLimits;
  /** Default: without TLS. */
  readonly tls?: ReloadingCredentials | undefined;
  /** Called with the reason why the TLS handshake of a client failed, and its address. */
  readonly onRefused?: HandshakeOptions["onRefused"];
  /** Checks the tokens of `GET /pod` and `GET /`. Default: they need none. */
  readonly auth?: ServerAuth | undefined;
  /** Injects faults into the same. Default: none. */
  readonly faults?: FaultInjector | undefined;
  /** Whether new connections are reset now. Default: never. */
  readonly refuses?: (() => boolean) | undefined;
  /** Observes the requests. Default: nothing does. */
  readonly telemetry?: Pick<Telemetry, "instrument" | "activeTrace">;
  /** Logs the requests. Default: nothing does. */
  readonly log?: Logger;
}

/**
 * Starts the HTTP server: `GET /pod` (the bare pod name, through `workload`), `GET /` (the whole pod, as JSON), `GET /healthz`
 * (200 while the process lives) and `GET /readyz` (200 only while the server is ready).
 *
 * @throws Error when the address cannot be listened on
 */
export async function listenHttp(
  pod: Pod,
  readiness: Readiness,
  workload: Workload,
  options: HttpOptions,
): Promise<HttpServer> {
  const { limits = defaultHttpLimits, tls } = options;
  const app = fastify({
    return503OnClosing: false, // while it closes, calls on open connections must still succeed
    forceCloseConnections: "idle",
    bodyLimit: limits.maxBodyBytes,
    serverFactory: (handle) => createHttpServer(options, limits, refusePipelines(handle, limits.maxPipelined)),
  });
  if (options.refuses) refuseConnections(app.server, options.refuses);
  const table = new ConnectionTable<Socket>(limits.maxConnections, (socket) => socket.destroy());
  app.server.on(tls ? "secureConnection" : "connection", (socket: Socket) => {
    table.add(socket);
    socket.once("close", () => table.delete(socket));
  });
  app.addHook("onRequest", async (request, reply) => {
    table.use(request.raw.socket);
    // A client that keeps its connection must move to another pod before this one is gone.
    if (readiness.state === "draining") reply.header("connection", "close");
  });
  options.telemetry?.instrument(app, () => readiness.state !== "starting");
  if (options.log) logHttpRequests(app, options.log, options.telemetry ?? { activeTrace: () => undefined });
  app.register(async (scope) => {
    if (options.auth) scope.addHook("onRequest", createHttpAuth(options.auth.verify, options.auth.onRefused));
    if (options.faults) scope.addHook("onRequest", createFaultHook(options.faults));
    routeCalls(scope, pod, workload);
  });
  routeProbes(app, readiness);
  await app.listen({ host: listenHost(options.host), port: options.port });
  return {
    port: (app.server.address() as AddressInfo).port,
    close: () => app.close(),
    cut: () => app.server.closeAllConnections(),
  };
}

function createHttpServer({ tls, onRefused }: HttpOptions, limits: HttpLimits, listener: RequestListener): Server {
  const options: ServerOptions = {
    headersTimeout: limits.requestTimeoutMs,
    requestTimeout: limits.requestTimeoutMs,
    keepAliveTimeout: limits.keepAliveTimeoutMs,
    connectionsCheckingInterval: limits.checkIntervalMs,
  };
  if (!tls) return createServer(options, listener);
  const server = createTlsServer({ ...options, ...tlsServerOptions(tls) }, listener);
  keepCurrent(server, tls);
  limitHandshakes(server, { max: limits.maxConnections, onRefused });
  return server;
}

/** Closes a connection with too many unanswered requests before any of them costs more than its bytes. */
function refusePipelines(handle: RequestListener, maxPipelined: number): RequestListener {
  const unanswered = new WeakMap<Socket, number>();
  return (request, response) => {
    const { socket } = request;
    if (socket.destroyed) return;
    const count = (unanswered.get(socket) ?? 0) + 1;
    unanswered.set(socket, count);
    if (count > maxPipelined) {
      socket.destroy();
      return;
    }
    response.once("close", () => unanswered.set(socket, (unanswered.get(socket) ?? 0) - 1));
    handle(request, response);
  };
}

function routeCalls(app: FastifyInstance, pod: Pod, workload: Workload): void {
  app.get("/pod", async (_request, reply) => {
    const outcome = await workload.serve(() => goneSignal(reply));
    if (outcome === "cancelled") return reply.hijack(); // no client is left to answer
    reply.type("text/plain");
    return outcome === "answered" ? pod.name : reply.code(503).send(`${pod.name} fails by --error-rate`);
  });
  app.get("/", () => pod);
}

function routeProbes(app: FastifyInstance, readiness: Readiness): void {
  app.get("/healthz", (_request, reply) => reply.type("text/plain").send("ok"));
  app.get("/readyz", (_request, reply) => {
    const { problem } = readiness;
    return reply
      .type("text/plain")
      .code(problem === undefined ? 200 : 503)
      .send(problem ?? "ok");
  });
}
