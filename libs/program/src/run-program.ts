import { type Flag, type FlagValues, type ProgramSpec, parseFlags } from "./flags.ts";
import { onTermination } from "./termination.ts";

/** What a program's body is given. */
export interface ProgramContext<F extends Record<string, Flag<unknown>>> {
  readonly flags: FlagValues<F>;
  /**
   * Aborted by the first SIGTERM or SIGINT, or when the reader of the output has gone away: finish what is under way and
   * return. Its reason is `SIGTERM`, `SIGINT` or `EPIPE`.
   */
  readonly signal: AbortSignal;
}

/** Thrown by a program's body for what its user can mend: said in one line, with the exit code given. */
export class ProgramError extends Error {
  override readonly name = "ProgramError";
  readonly exitCode: number;

  constructor(message: string, options: ErrorOptions & { exitCode: number }) {
    super(message, options);
    this.exitCode = options.exitCode;
  }
}

/**
 * Runs a program to its end: reads its flags (`--help` exits 0, a wrong flag exits 2 with one line), gives the body a
 * signal that SIGTERM and SIGINT abort, and exits with the code that the body returns, 0 when it returns none. A second
 * signal exits at once. A reader that goes away (`| head`) is noticed by the next line that it would have got, aborts the
 * signal too and is a normal end; output that cannot be written otherwise (a full disk) is one line and exit 1.
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
  const parsed = parseFlags(spec, process.argv.slice(2), process.env);
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
    process.stderr.write(`${spec.name}: ${error.message}\n`);
    process.exitCode = error.exitCode;
  } finally {
    termination.close();
  }
  // The body has ended, so nothing should be left to wait for; what a library forgot must not keep a pod alive.
  setTimeout(() => process.exit(), 2_000).unref();
}
