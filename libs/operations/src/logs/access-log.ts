import type { ServerInterceptor } from "@grpc/grpc-js";
import type { Logger } from "@grpc-lb/interceptors";
import type { FastifyInstance } from "fastify";
import type { Telemetry } from "../telemetry/telemetry.ts";

/**
 * Logs each gRPC call of a server at the level `debug`: `method`, `code`, `durationMs`, `peer`, `traceId`, `spanId`. Health checks and
 * reflection are among them.
 */
export async function createGrpcAccessLog(
  logger: Logger,
  { activeTrace }: Pick<Telemetry, "activeTrace">,
): Promise<ServerInterceptor> {
  const { createServerLogging } = await import("@grpc-lb/interceptors");
  const ids = { traceId: () => activeTrace()?.traceId, spanId: () => activeTrace()?.spanId };
  return createServerLogging({ logger, level: () => "debug", ...ids });
}

/** Logs each request of a fastify server at the level `debug` when it has ended: `method`, `route`, `status`, `durationMs`, `peer`, `traceId`, `spanId`. */
export function logHttpRequests(
  app: FastifyInstance,
  logger: Logger,
  { activeTrace }: Pick<Telemetry, "activeTrace">,
): void {
  app.addHook("onRequest", (request, { raw }, done) => {
    const began = performance.now();
    const trace = activeTrace();
    raw.once("close", () => {
      const durationMs = Math.round((performance.now() - began) * 10) / 10;
      const status = raw.writableFinished ? raw.statusCode : "aborted";
      const route = request.routeOptions.url ?? "unknown";
      logger.debug({ method: request.method, route, status, durationMs, peer: request.ip, ...trace }, "http request");
    });
    done();
  });
}
