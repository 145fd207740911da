import { printableLine } from "@grpc-lb/core";
import type { Flag } from "./flags.ts";
import { type FlagValues, type ProgramSpec, parseFlags } from "./parse-flags.ts";
import { onTermination } from "./termination.ts";

/** The arguments of a program's body. */
export interface ProgramContext<F extends Record<string, Flag<unknown>>> {
  readonly flags: FlagValues<F>;
  /**
   * Aborted by the first SIGTERM or SIGINT, or when the reader of the output has gone away: the body finishes what is in
   * progress and returns. Its reason is `SIGTERM`, `SIGINT` or `EPIPE`.
   */
  readonly signal: AbortSignal;
}

/** Thrown by a program's body for what its user can fix: written without a stack, and the process exits with `exitCode`. */
export class ProgramError extends Error {
  override readonly name = "ProgramError";
  readonly exitCode: number;

  constructor(message: string, options: ErrorOptions & { exitCode: number }) {
    super(message, options);
    this.exitCode = options.exitCode;
  }
}

/**
 * Refuses flags that cannot be used, or not together.
 *
 * @throws ProgramError with exit code 2, always
 */
export function refuseFlags(message: string): never {
  throw new ProgramError(message, { exitCode: 2 });
}

/**
 * Runs a program: parses its flags (`--help` exits 0, a wrong flag exits 2 with one line), runs the body, and exits with the
 * code that the body returns, or 0. The first SIGTERM or SIGINT aborts the body's signal; a second one exits at once with 143
 * or 130. An output pipe whose reader has gone away (`| head`) aborts the signal too, at the next line that is written;
 * another write error (a full disk) exits 1 with one line. An error other than `ProgramError` is a bug: exit 1 with its stack.
 */
export async function runProgram<F extends Record<string, Flag<unknown>>>(
  spec: ProgramSpec<F>,
  body: (context: ProgramContext<F>) => Promise<number | undefined>,
): Promise<void> {
  const termination = onTermination();
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EPIPE") {
        termination.abort("EPIPE");
        return;
      }
      if (stream === process.stdout) process.stderr.write(`${spec.name}: cannot write to stdout: ${error.message}\n`);
      process.exit(1);
    });
  }
  const parsed = parseFlags(spec, process.argv.slice(2), process.env, process.stdout.columns);
  try {
    if (parsed.t === "run") {
      process.exitCode = (await body({ flags: parsed.values, signal: termination.signal })) ?? 0;
    } else if (parsed.t === "help") {
      process.stdout.write(parsed.text);
    } else {
      process.stderr.write(`${parsed.message}\n`);
      process.exitCode = 2;
    }
  } catch (error) {
    if (!(error instanceof ProgramError)) throw error;
    const lines = error.message.split("\n").map((line) => printableLine(line));
    process.stderr.write(`${spec.name}: ${lines.join("\n")}\n`);
    process.exitCode = error.exitCode;
  } finally {
    termination.close();
  }
  // A timer or socket that was left open must not keep the pod alive.
  setTimeout(() => process.exit(), 2_000).unref();
}
