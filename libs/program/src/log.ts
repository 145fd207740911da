import { type DestinationStream, destination, type Logger, pino, stdTimeFunctions } from "pino";

/** The levels of `--log-level`, from everything to nothing. */
export const logLevels = ["trace", "debug", "info", "warn", "error", "silent"] as const;

/**
 * Creates a JSON logger with one object per line on stdout: `level` as a word, `time` in ISO 8601, `app`, `msg`. Writes
 * synchronously, so that the last lines before an exit are there.
 *
 * @param app the value of the field `app`, and the prefix of a write error on stderr
 * @param level entries below it are not written
 * @param stream where to write instead of stdout
 */
export function createLogger(
  app: string,
  level: (typeof logLevels)[number],
  stream: DestinationStream = openStdout(app),
): Logger {
  const formatters = { level: (label: string) => ({ level: label }) };
  return pino({ level, base: { app }, timestamp: stdTimeFunctions.isoTime, formatters }, stream);
}

/** Opens stdout for a log. On EPIPE the program goes on to drain; on another write error it exits 1 with one line. */
function openStdout(app: string): DestinationStream {
  const stdout = destination({ fd: 1, sync: true });
  stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") {
      process.stdout.destroy(error); // emits the error that `runProgram` listens for
      return;
    }
    process.stderr.write(`${app}: cannot write the log: ${error.message}\n`);
    process.exit(1);
  });
  return stdout;
}
