import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { listening } from "@grpc-lb/program";
import { createRouteServer, type RouteServerLimits } from "./route-server.ts";
import type { AdminRoutes } from "./routes.ts";

/** Where an admin server listens, and what it answers. */
export interface AdminServerOptions {
  /** The address to listen on. Default: every interface. */
  readonly host?: string | undefined;
  /** 0 for a free one. */
  readonly port: number;
  /** All routes; two with the same method and path are a mistake, which throws. */
  readonly routes: readonly AdminRoutes[];
}

/** An admin server that listens. */
export interface AdminServer {
  readonly port: number;
  /** Accepts no new connection; resolves when all are closed: requests in progress have a second to end. May be called twice. */
  close(): Promise<void>;
}

const limits: RouteServerLimits = {
  maxConnections: 100,
  maxBodyBytes: 16_384,
  timeoutMs: 10_000,
  checkIntervalMs: 2_000,
  keepAliveTimeoutMs: 72_000, // longer than the 60 s between two scrapes of Prometheus
  closeMs: 1_000,
};

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
export async function createAdminServer({ host, port, routes }: AdminServerOptions): Promise<AdminServer> {
  const { server, close } = createRouteServer(routes, limits);
  // Without a host Node listens on every interface, with IPv6 or without, and needs no look-up, which would cost a start 4 ms.
  server.listen(port, host || undefined);
  try {
    await listening("--admin-port", port, once(server, "listening"));
  } catch (cause) {
    await close();
    throw cause;
  }
  return { port: (server.address() as AddressInfo).port, close };
}
