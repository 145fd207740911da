import { systemClock } from "@grpc-lb/core";
import { runCallLoop } from "./call-loop.ts";
import { type ClientEvent, type ObservedCalls, observeCalls } from "./client-events.ts";
import { durationFlag, type Flag, integerFlag, switchFlag } from "./flags.ts";
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
  events: switchFlag({ help: "write calls and connections to stderr too, as one JSON object a line" }),
};

/** Makes the calls of a client for as long as it runs. */
export interface Caller extends ObservedCalls {
  /** Closes the connections that the calls share, and what else the program has started. Called once, after the last call. */
  close(): void | Promise<void>;
}

/**
 * Runs a client: with its own flags and those that all clients have (`--interval`, `--count`, `--concurrency`, `--timeout`,
 * `--events`). Writes `#N: <pod>` to stdout and nothing else there, `Error: <reason>` and events to stderr. Exits 1 when a call of `--count` failed.
 *
 * @param connect creates the caller from the flags; may throw `ProgramError`. `signal` is aborted when the client is to end
 */
export async function runClient<F extends Record<string, Flag<unknown>>>(
  spec: ProgramSpec<F>,
  connect: (flags: FlagValues<F> & FlagValues<typeof clientFlags>, signal: AbortSignal) => Caller | Promise<Caller>,
): Promise<void> {
  const withClientFlags = { ...spec, flags: { ...spec.flags, ...clientFlags } };
  await runProgram(withClientFlags, async ({ flags: values, signal }) => {
    const flags = values as FlagValues<F> & FlagValues<typeof clientFlags>;
    const caller = await connect(flags, signal);
    const write = (event: ClientEvent) => process.stderr.write(`${JSON.stringify(event)}\n`);
    const observer = flags.events ? observeCalls(caller, write) : undefined;
    try {
      const { failed } = await runCallLoop({
        call: () => (observer ?? caller).call(),
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
      observer?.close();
      await caller.close();
    }
  });
}
