import { type Interceptor, type Metadata, type ServerInterceptor, type StatusObject, status } from "@grpc/grpc-js";
import { checkOptions, type OptionRules, printableLine } from "@grpc-lb/core";
import { watchClientCall } from "../call/client-call.ts";
import { guardCallback } from "../call/guard-callback.ts";
import { isInfrastructure } from "../call/infrastructure.ts";
import { WatchedServerCall } from "../call/server-call.ts";
import { type Logger, type LogLevel, loggerRule, writeEntry } from "../logger.ts";
import { readTraceId } from "./trace-id.ts";

/** What the log of calls contains. */
export interface LoggingOptions {
  /** Receives an entry for each call. A pino logger is one. */
  readonly logger: Logger;
  /**
   * The level of an entry, `"silent"` for none. Default: `error` for UNKNOWN, INTERNAL and DATA_LOSS; `warn` for DEADLINE_EXCEEDED,
   * RESOURCE_EXHAUSTED, UNIMPLEMENTED, UNAVAILABLE, PERMISSION_DENIED and UNAUTHENTICATED; `info` for the others, but `debug` for
   * health checks and reflection.
   */
  readonly level?: ((code: status, method: string) => LogLevel | "silent") | undefined;
  /**
   * The trace id of a call, called when it starts. `activeTraceId` of `@grpc-lb/interceptors/tracing` is one. Default: that of the W3C
   * header `traceparent` in the call's metadata.
   */
  readonly traceId?: ((metadata: Metadata) => string | undefined) | undefined;
  /** The same for the span id; `activeSpanId` is one. Default: none. */
  readonly spanId?: ((metadata: Metadata) => string | undefined) | undefined;
}

const rules: OptionRules = { logger: loggerRule, level: "function", traceId: "function", spanId: "function" };

/** The longest text of a peer in an entry, in UTF-16 code units. */
const maxTextLength = 300;

/**
 * Creates a client interceptor that logs each call in one line when it has ended: `method`, `code`, `durationMs`, `peer`, and where
 * there are, `details`, `traceId` and `spanId`. Texts of the peer are cut, and their control characters escaped. Neither messages nor metadata
 * are logged.
 *
 * @throws TypeError for options of another type or name
 */
export function createClientLogging(options: LoggingOptions): Interceptor {
  const log = createCallLog("createClientLogging", "grpc client call", options);
  return (callOptions, nextCall) => {
    const next = nextCall(callOptions);
    let write: ReturnType<typeof log> | undefined;
    return watchClientCall(next, {
      readsContext: true,
      onStart: (metadata) => {
        write = log(callOptions.method_definition.path, metadata);
      },
      onEnd: (end) => write?.(end, next.getPeer()),
    });
  };
}

/**
 * Creates a server interceptor that logs each call in one line when it has ended, as `createClientLogging` does. A call that the client
 * has cancelled is CANCELLED, whatever the handler answers later.
 *
 * @throws TypeError for options of another type or name
 */
export function createServerLogging(options: LoggingOptions): ServerInterceptor {
  const log = createCallLog("createServerLogging", "grpc server call", options);
  return (method, call) => {
    let write: ReturnType<typeof log> | undefined;
    let peer = "";
    return new WatchedServerCall(method, call, {
      onStart: (metadata) => {
        peer = call.getPeer(); // "unknown" once the call is cancelled
        write = log(method.path, metadata);
        return undefined;
      },
      onEnd: (end) => write?.(end, peer),
    });
  };
}

type End = { readonly [Key in "code" | "details"]?: StatusObject[Key] | null | undefined };

function createCallLog(where: string, message: string, options: LoggingOptions) {
  checkOptions(where, options, rules, ["logger"]);
  const { logger } = options;
  const level = guardCallback(options.level ?? defaultLevel, defaultLevel);
  const traceId = guardCallback(options.traceId ?? readTraceId, readTraceId);
  const spanId = guardCallback(options.spanId ?? noSpanId, noSpanId);
  return (method: string, metadata: Metadata) => {
    const startedMs = performance.now();
    const [trace, span] = [traceId(metadata), spanId(metadata)];
    return ({ code, details }: End, peer: string): void => {
      const ended = code ?? status.UNKNOWN;
      const chosen = level(ended, method);
      if (chosen === "silent") return;
      const fields = {
        method: printableLine(method, maxTextLength),
        code: status[ended] ?? String(ended),
        durationMs: Math.round((performance.now() - startedMs) * 10) / 10,
        peer: printableLine(peer, maxTextLength),
        ...(details && ended !== status.OK && { details: printableLine(details, maxTextLength) }),
        ...(trace !== undefined && { traceId: trace }),
        ...(span !== undefined && { spanId: span }),
      };
      writeEntry(logger, chosen, fields, message);
    };
  };
}

const noSpanId = (): undefined => undefined;

const errors: ReadonlySet<status> = new Set([status.UNKNOWN, status.INTERNAL, status.DATA_LOSS]);
const warnings: ReadonlySet<status> = new Set([
  ...[status.DEADLINE_EXCEEDED, status.RESOURCE_EXHAUSTED, status.UNIMPLEMENTED, status.UNAVAILABLE],
  ...[status.PERMISSION_DENIED, status.UNAUTHENTICATED],
]);

function defaultLevel(code: status, method: string): LogLevel {
  if (errors.has(code) || code > status.UNAUTHENTICATED) return "error";
  if (warnings.has(code)) return "warn";
  return isInfrastructure(method) ? "debug" : "info";
}
