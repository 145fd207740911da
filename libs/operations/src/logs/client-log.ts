import type { Interceptor } from "@grpc/grpc-js";
import { messageOf, printableLine } from "@grpc-lb/core";
import type { Logger } from "@grpc-lb/interceptors";
import { choiceFlag, createLogger, type Flag, type LogFormat, logFormats } from "@grpc-lb/program";
import type { ObserveRequest, Telemetry } from "../telemetry/telemetry.ts";

const logFormat: Flag<LogFormat | undefined> = {
  ...choiceFlag({ metavar: "format", help: "logs each call to stderr too", default: "json", choices: logFormats }),
  default: undefined,
  defaultText: "off",
};

/** The flag of a client that can log its calls. */
export const clientLogFlags = { logFormat };

/** Creates the log of a client, on stderr: its stdout has one line for each call and nothing else. Undefined without a format. */
export function createClientLog(app: string, format: LogFormat | undefined): Logger | undefined {
  return format && createLogger(app, "info", { format, stream: process.stderr });
}

/** Creates the interceptors that log the calls of gRPC clients, with their traces; to be put below those of telemetry. None without a log. */
export async function createGrpcCallLog(
  logger: Logger | undefined,
  { activeTrace }: Pick<Telemetry, "activeTrace">,
): Promise<readonly Interceptor[]> {
  if (!logger) return [];
  const { createClientLogging } = await import("@grpc-lb/interceptors");
  const ids = { traceId: () => activeTrace()?.traceId, spanId: () => activeTrace()?.spanId };
  return [createClientLogging({ logger, ...ids })];
}

/** Logs the requests of an HTTP client when they have ended: `method`, `url` without its query, `status`, `durationMs`, `traceId`, `spanId`, and the `reason` of a failure. */
export function logRequests(logger: Logger | undefined, telemetry: Telemetry): ObserveRequest {
  const { observeRequest, activeTrace } = telemetry;
  if (!logger) return observeRequest;
  return (request, send) =>
    observeRequest(request, async ({ headers, answered }) => {
      const began = performance.now();
      let status: number | undefined;
      const fields = () => ({
        ...{ method: request.method, url: `${request.url.origin}${request.url.pathname}`, status },
        ...{ durationMs: Math.round((performance.now() - began) * 10) / 10, ...activeTrace() },
      });
      try {
        const result = await send({
          headers,
          answered(code) {
            status = code;
            answered(code);
          },
        });
        logger.info(fields(), "http client call");
        return result;
      } catch (error) {
        logger.warn({ ...fields(), reason: printableLine(messageOf(error), 300) }, "http client call");
        throw error;
      }
    });
}
