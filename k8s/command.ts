import { spawn } from "node:child_process";
import { constants } from "node:os";
import { ProgramError } from "@grpc-lb/program";

/** Options of a command. */
export interface CommandOptions {
  /** Its standard input. */
  readonly input?: string;
  readonly cwd?: string;
  /** Environment variables in addition to this process's. */
  readonly env?: Readonly<Record<string, string>>;
  /** Whether to print its stdout as it arrives; the result contains it anyway. */
  readonly show?: boolean;
  /** Ends the command. */
  readonly signal?: AbortSignal;
  /** Ends the command after this time, with exit code 124 and the time in its stderr; without it, there is no limit. */
  readonly limitMs?: number;
  /** Ends the command and rejects, so that the program ends: `runProgram`'s signal. */
  readonly interruption?: AbortSignal | undefined;
  /** What an interruption interrupts, as a clause: `server was rolling out`. */
  readonly doing?: string;
}

/** The result of a command; a missing command has the code 127, as in a shell. */
export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs a command to its end; a failure is a value. The output goes through this process: if its reader closes the pipe, this
 * program reports that, and the command does not fail in the middle of its work.
 */
export async function runCommand(
  command: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  const { interruption, signal, limitMs, doing = `${command} ran` } = options;
  const limit = limitMs === undefined ? undefined : AbortSignal.timeout(limitMs);
  if (interruption?.aborted) throw interrupted(interruption, doing);
  const child = spawn(command, args, {
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.env === undefined ? {} : { env: { ...process.env, ...options.env } }),
    signal: AbortSignal.any([signal, interruption, limit].filter((one) => one !== undefined)),
  });
  child.stdin.on("error", () => {}); // the command ended before it read all its input; its exit code has the reason
  child.stdin.end(options.input ?? "");
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
    if (options.show) process.stdout.write(text);
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const code = await new Promise<number>((resolve) => {
    let failed = 1;
    child.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") failed = 127;
      if (limit?.aborted) {
        failed = 124;
        stderr += `no end within ${Number(limitMs) / 1000} s`;
      } else stderr ||= error.message;
    });
    child.on("close", (code) => resolve(code !== null && code >= 0 ? code : failed));
  });
  if (interruption?.aborted) throw interrupted(interruption, doing);
  return { code, stdout, stderr };
}

/** Ends the program with exit code 1 and one line: what is wrong, and what to do. */
export function stop(message: string): never {
  throw new ProgramError(message, { exitCode: 1 });
}

/** The error of an interrupted program, with the shell's exit code for the signal. */
export function interrupted(signal: AbortSignal, doing: string): ProgramError {
  const name: string = signal.reason;
  const why = name === "EPIPE" ? ": its output has no reader" : "";
  const number = constants.signals[name === "EPIPE" ? "SIGPIPE" : (name as NodeJS.Signals)];
  return new ProgramError(`interrupted while ${doing}${why}`, { exitCode: 128 + number });
}
