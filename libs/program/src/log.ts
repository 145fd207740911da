import { type DestinationStream, destination, type Logger, pino } from "pino";
import { formatOptions, type LogFormat, prettyLines } from "./log-format.ts";

/** The levels of `--log-level`, from everything to nothing. */
export const logLevels = ["trace", "debug", "info", "warn", "error", "silent"] as const;

/** How a log is written. */
export interface LoggerSettings {
  /** Default: `json`, one object per line: `level` as a word, `time` in ISO 8601, `app`, `msg`. */
  readonly format?: LogFormat | undefined;
  /** Where to write instead of stdout. */
  readonly stream?: DestinationStream | undefined;
}

/**
 * Creates a logger that writes to stdout, synchronously, so that the last lines before an exit are there.
 *
 * @param app the value of the field `app` (`service.name` in ECS), and the prefix of a write error on stderr
 * @param level entries below it are not written
 */
export function createLogger(
  app: string,
  level: (typeof logLevels)[number],
  { format = "json", stream = openStdout(app) }: LoggerSettings = {},
): Logger {
  const options = { level, ...formatOptions(format, app) };
  return pino(options, format === "pretty" ? prettyLines(stream) : stream);
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
