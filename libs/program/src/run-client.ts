import { systemClock } from "@grpc-lb/core";
import { runCallLoop } from "./call-loop.ts";
import { durationFlag, type Flag, type FlagValues, integerFlag, type ProgramSpec } from "./flags.ts";
import { runProgram } from "./run-program.ts";

const clientFlags = {
  interval: durationFlag({ help: "pause between the end of a call and the next call", default: 1_000 }),
  count: integerFlag({
    help: "calls to make, failed ones too; exits 1 if one failed",
    default: 0,
    defaultText: "0, for ever",
    min: 0,
  }),
  concurrency: integerFlag({ help: "calls under way at once", default: 1, min: 1, max: 1_000 }),
  timeout: durationFlag({ help: "time that a call may take before it counts as failed", default: 5_000, minMs: 1 }),
};

/** What a client calls with, for as long as it runs. */
export interface Caller {
  /** One call; gives the name of the pod that answered. */
  call(): Promise<string>;
  /** Frees what the calls shared. */
  close(): void;
}

/**
 * Runs a client of the suite to its end: its own flags and those that all clients have (`--interval`, `--count`,
 * `--concurrency`, `--timeout`), `#N: <pod>` on stdout and nothing else there, `Error: <reason>` on stderr.
 *
 * @param connect builds what calls; it may throw `ProgramError`
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
