import { spawn } from "node:child_process";
import { constants } from "node:os";
import { ProgramError } from "@grpc-lb/program";

/** What a command is given beside its arguments. */
export interface CommandOptions {
  /** Goes to its standard input. */
  readonly input?: string;
  readonly cwd?: string;
  /** Shows what it prints as it comes, beside keeping it. */
  readonly show?: boolean;
  /** Ends the command. */
  readonly signal?: AbortSignal;
  /** Ends the command and the program: `runProgram`'s signal. */
  readonly interruption?: AbortSignal | undefined;
  /** What is interrupted then, as a clause: `server was rolling out`. */
  readonly doing?: string;
}

/** How a command ended; one that could not be started has the code 127, as in a shell. */
export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs a command to its end; a failure is a value. What it prints goes through this process, so that a reader that goes away
 * is met by this program, which knows what to say, and not by the command in the middle of its work.
 */
export async function runCommand(
  command: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  const { interruption, signal, doing = `${command} ran` } = options;
  if (interruption?.aborted) throw interrupted(interruption, doing);
  const child = spawn(command, args, {
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    signal: AbortSignal.any([signal, interruption].filter((one) => one !== undefined)),
  });
  child.stdin.on("error", () => {}); // it ended before it read everything; its exit code says why
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
      stderr ||= error.message;
    });
    child.on("close", (code) => resolve(code !== null && code >= 0 ? code : failed));
  });
  if (interruption?.aborted) throw interrupted(interruption, doing);
  return { code, stdout, stderr };
}

/** Ends the program: one line that says what is wrong and what to do. */
export function stop(message: string): never {
  throw new ProgramError(message, { exitCode: 1 });
}

/** What ends a program that was asked to end while it did something, with the shell's exit code for the signal. */
export function interrupted(signal: AbortSignal, doing: string): ProgramError {
  const name: string = signal.reason;
  const why = name === "EPIPE" ? ": nobody reads its output any more" : "";
  const number = constants.signals[name === "EPIPE" ? "SIGPIPE" : (name as NodeJS.Signals)];
  return new ProgramError(`interrupted while ${doing}${why}`, { exitCode: 128 + number });
}
