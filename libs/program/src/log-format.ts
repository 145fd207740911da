import { type DestinationStream, type LoggerOptions, stdTimeFunctions } from "pino";

/** The formats of `--log-format`. */
export const logFormats = ["json", "ecs", "pretty"] as const;

/** How entries are written: `json`, Elastic Common Schema, or text for a person. */
export type LogFormat = (typeof logFormats)[number];

/** The fields by which log and traces are joined. */
interface TraceFields {
  readonly traceId?: unknown;
  readonly spanId?: unknown;
}

const json = (app: string): LoggerOptions => ({
  base: { app },
  timestamp: stdTimeFunctions.isoTime,
  formatters: { level: (label) => ({ level: label }) },
});

/**
 * Elastic Common Schema 8: the fields of an entry are below `grpc_lb`, because those of the schema have types of their own
 * (https://www.elastic.co/docs/reference/ecs/ecs-custom-fields-in-ecs).
 */
const ecs = (app: string): LoggerOptions => ({
  base: { "ecs.version": "8.11.0", "service.name": app },
  messageKey: "message",
  timestamp: () => `,"@timestamp":"${new Date().toISOString()}"`,
  formatters: {
    level: (label) => ({ "log.level": label }),
    log: ({ traceId, spanId, err, ...fields }: Record<string, unknown> & TraceFields) => ({
      ...(traceId !== undefined && { "trace.id": traceId }),
      ...(spanId !== undefined && { "span.id": spanId }),
      ...(err instanceof Error && {
        ...{ "error.type": err.name, "error.message": err.message, "error.stack_trace": err.stack },
      }),
      ...(Object.keys(fields).length > 0 && { grpc_lb: fields }),
    }),
  },
});

/** The options of pino for a format. For `pretty` its lines are JSON, which `prettyLines` rewrites. */
export const formatOptions = (format: LogFormat, app: string): LoggerOptions =>
  format === "ecs" ? ecs(app) : json(app);

/** Rewrites the lines of the format `json` for a person: `12:00:00.000 INFO serving httpPort=8080`. A stack stands in lines of its own. */
export function prettyLines(to: DestinationStream): DestinationStream {
  return {
    write(line) {
      const { level, time, app: _app, msg = "", err, ...fields } = JSON.parse(line) as Record<string, unknown>;
      const pairs = Object.entries(fields).map(([name, value]) => ` ${name}=${JSON.stringify(value)}`);
      const { stack, message } = (err ?? {}) as { readonly stack?: string; readonly message?: string };
      const error = stack ?? message;
      const clock = String(time).slice(11, 23);
      to.write(`${clock} ${String(level).toUpperCase()} ${msg}${pairs.join("")}${error ? `\n${error}` : ""}\n`);
    },
  };
}
