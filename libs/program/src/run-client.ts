import { systemClock } from "@grpc-lb/core";
import { runCallLoop } from "./call-loop.ts";
import { durationFlag, type Flag, integerFlag } from "./flags.ts";
import type { FlagValues, ProgramSpec } from "./parse-flags.ts";
import { runProgram } from "./run-program.ts";

const clientFlags = {
  interval: durationFlag({ help: "pause between the end of a call and the next call", default: 1_000 }),
  count: integerFlag({
    help: "calls to make, failed ones too; exits 1 if one failed",
    default: 0,
    defaultText: "0, no limit",
    min: 0,
  }),
  concurrency: integerFlag({ help: "calls in flight at once", default: 1, min: 1, max: 1_000 }),
  timeout: durationFlag({ help: "time that a call may take before it counts as failed", default: 5_000, minMs: 1 }),
};

/** Makes the calls of a client for as long as it runs. */
export interface Caller {
  /** Makes one call and returns the name of the pod that answered. */
  call(): Promise<string>;
  /** Closes the connections that the calls share. Called once, after the last call. */
  close(): void;
}

/**
 * Runs a client: with its own flags and those that all clients have (`--interval`, `--count`, `--concurrency`, `--timeout`).
 * Writes `#N: <pod>` to stdout and nothing else there, `Error: <reason>` to stderr. Exits 1 when a call of `--count` failed.
 *
 * @param connect creates the caller from the flags; may throw `ProgramError`
 */
export async function runClient<F extends Record<string, Flag<unknown>>>(
  spec: ProgramSpec<F>,
  connect: (flags: FlagValues<F> & FlagValues<typeof clientFlags>) => Caller,
): Promise<void> {
  const withClientFlags = { ...spec, flags: { ...spec.flags, ...clientFlags } };
  await runProgram(withClientFlags, async ({ flags: values, signal }) => {
    const flags = values as FlagValues<F> & FlagValues<typeof clientFlags>;
    const caller = connect(flags);
    try {
      const { failed } = await runCallLoop({
        call: () => caller.call(),
        intervalMs: flags.interval,
        count: flags.count,
        concurrency: flags.concurrency,
        signal,
        clock: systemClock,
        writeCall: (line) => process.stdout.write(`${line}\n`),
        writeError: (line) => process.stderr.write(`${line}\n`),
      });
      return flags.count > 0 && failed > 0 ? 1 : 0;
    } finally {
      caller.close();
    }
  });
}
