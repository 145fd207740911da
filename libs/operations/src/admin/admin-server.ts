import type { AddressInfo } from "node:net";
import { listenHost, listening } from "@grpc-lb/program";
import type { FastifyPluginAsync } from "fastify";

/** Routes of an admin server: a plugin of fastify. */
export type AdminRoutes = FastifyPluginAsync;

/** Where an admin server listens, and what it answers. */
export interface AdminServerOptions {
  /** The address to listen on. Default: every interface. */
  readonly host?: string | undefined;
  /** 0 for a free one. */
  readonly port: number;
  /** All routes; two with the same path are a mistake, which throws. */
  readonly routes: readonly AdminRoutes[];
}

/** An admin server that listens. */
export interface AdminServer {
  readonly port: number;
  /** Accepts no new connection; resolves when all are closed: requests in progress have a second to end. May be called twice. */
  close(): Promise<void>;
}

/** Bounds of what peers can make an admin server hold. Node limits the headers of a request to 16 kB. */
const limits = {
  maxConnections: 100,
  maxBodyBytes: 16_384,
  /** From the first byte of a connection or request to its end, and for an answer that the peer does not read. */
  timeoutMs: 10_000,
  checkIntervalMs: 2_000,
  /** How long requests in progress may take when the server closes. */
  closeMs: 1_000,
} as const;

/**
 * Starts an HTTP server for operators: metrics, probes, `/debug`, faults. It is apart from the ports of the service, so that no Service
 * and no ingress exposes it. Its answers are never cached, and an error of a handler does not leave the process.
 *
 * ```ts
 * const admin = await createAdminServer({ port: 9464, routes: [probeRoutes({ notReady: () => undefined })] });
 * ```
 *
 * @throws ProgramError with the flag, the port and the reason, exit code 1, when the address cannot be listened on
 */
export async function createAdminServer({ host = "", port, routes }: AdminServerOptions): Promise<AdminServer> {
  const { fastify } = await import("fastify"); // only for programs that have an admin port
  const app = fastify({
    bodyLimit: limits.maxBodyBytes,
    forceCloseConnections: "idle",
    requestTimeout: limits.timeoutMs,
    connectionTimeout: limits.timeoutMs,
    http: { headersTimeout: limits.timeoutMs, connectionsCheckingInterval: limits.checkIntervalMs },
  });
  app.server.maxConnections = limits.maxConnections;
  app.addHook("onRequest", async (_request, reply) => {
    reply.header("cache-control", "no-store");
  });
  for (const plugin of routes) app.register(plugin);
  try {
    await listening("--admin-port", port, app.listen({ port, host: listenHost(host) }));
  } catch (cause) {
    await app.close();
    throw cause;
  }
  return {
    port: (app.server.address() as AddressInfo).port,
    async close() {
      const cut = setTimeout(() => app.server.closeAllConnections(), limits.closeMs);
      try {
        await app.close();
      } finally {
        clearTimeout(cut);
      }
    },
  };
}
