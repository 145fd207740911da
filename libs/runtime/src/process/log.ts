import { type DestinationStream, destination, type Logger, pino, stdTimeFunctions } from "pino";

/** The levels of `--log-level`, from all to nothing. */
export const logLevels = ["trace", "debug", "info", "warn", "error", "silent"] as const;

/**
 * A JSON logger with one object a line on stdout: `level` as a word, `time` in ISO 8601, `app`, `msg`. Lines are written
 * at once, so that the last ones before an exit are there.
 */
export function createLogger(
  app: string,
  level: (typeof logLevels)[number],
  stream: DestinationStream = destination({ fd: 1, sync: true }),
): Logger {
  const formatters = { level: (label: string) => ({ level: label }) };
  return pino({ level, base: { app }, timestamp: stdTimeFunctions.isoTime, formatters }, stream);
}
