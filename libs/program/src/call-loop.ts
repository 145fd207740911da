import { type Clock, messageOf, printableLine } from "@grpc-lb/core";

/** One call after the other with a line for each; a failed call does not end the loop. */
export interface CallLoopOptions {
  /** Makes one call and returns the name of the pod that answered; a rejection is a failed call. Must settle by itself. */
  readonly call: () => Promise<string>;
  /** The pause between the end of a call and the start of the next, in milliseconds. */
  readonly intervalMs: number;
  /** How many calls to make, failed ones included; 0 means no limit. */
  readonly count: number;
  /** How many calls are in flight at once, each followed by its own pause. Default: 1. */
  readonly concurrency?: number;
  /** Once aborted, no call starts, and the loop ends when the calls in flight have ended. */
  readonly signal: AbortSignal;
  readonly clock: Clock;
  /** Takes `#N: <pod>` for the N-th call that succeeded, without a line end. */
  readonly writeCall: (line: string) => void;
  /** Takes `Error: <reason>` for a failed call, which has no number. */
  readonly writeError: (line: string) => void;
}

/**
 * Calls until `count` is reached or `signal` is aborted.
 *
 * @returns how many calls succeeded and how many failed
 */
export async function runCallLoop(options: CallLoopOptions): Promise<{ succeeded: number; failed: number }> {
  const { call, intervalMs, count, concurrency = 1, signal, clock } = options;
  let started = 0;
  let succeeded = 0;
  let failed = 0;
  const isOver = () => signal.aborted || (count > 0 && started >= count);
  const work = async () => {
    while (!isOver()) {
      started += 1;
      const result = await attempt(call);
      if ("pod" in result) {
        succeeded += 1;
        options.writeCall(`#${succeeded}: ${result.pod}`);
      } else {
        failed += 1;
        options.writeError(`Error: ${result.reason}`);
      }
      if (!isOver()) await clock.sleep(intervalMs, signal);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, work));
  return { succeeded, failed };
}

async function attempt(call: () => Promise<string>): Promise<{ pod: string } | { reason: string }> {
  try {
    return { pod: await call() };
  } catch (error) {
    return { reason: printableLine(messageOf(error)) }; // a server's words may be part of it
  }
}
