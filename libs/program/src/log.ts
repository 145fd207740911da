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
  stream: DestinationStream = openStdout(app),
): Logger {
  const formatters = { level: (label: string) => ({ level: label }) };
  return pino({ level, base: { app }, timestamp: stdTimeFunctions.isoTime, formatters }, stream);
}

/** Stdout for a log; when it cannot be written to any more, the program goes on draining or ends, but never with a stack. */
function openStdout(app: string): DestinationStream {
  const stdout = destination({ fd: 1, sync: true });
  stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") {
      process.stdout.destroy(error); // the program hears of it there
      return;
    }
    process.stderr.write(`${app}: cannot write its log: ${error.message}\n`);
    process.exit(1);
  });
  return stdout;
}
