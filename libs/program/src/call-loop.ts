import type { Clock } from "@grpc-lb/core";

/** What the clients of the suite share: call after call, a line for each, and no death by a failed one. */
export interface CallLoopOptions {
  /** Makes one call and gives the name of the pod that answered; a rejection is a failed call. It ends by itself. */
  readonly call: () => Promise<string>;
  /** The pause between the end of a call and the start of the next, in milliseconds. */
  readonly intervalMs: number;
  /** How many calls to make, failed ones included; 0 is for ever. */
  readonly count: number;
  /** How many calls are under way at once, each followed by its own pause. Default: 1. */
  readonly concurrency?: number;
  /** Once aborted, what is under way is waited for and no other is made. */
  readonly signal: AbortSignal;
  readonly clock: Clock;
  /** Takes `#N: <pod>` for the N-th call that succeeded, without the line's end. */
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
  let begun = 0;
  let succeeded = 0;
  let failed = 0;
  const isOver = () => signal.aborted || (count > 0 && begun >= count);
  const work = async () => {
    while (!isOver()) {
      begun += 1;
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
    return { reason: reasonOf(error) };
  }
}

/** The error's message in one line, whatever it holds. */
function reasonOf(error: unknown): string {
  const reason = error instanceof Error ? error.message || error.name : String(error);
  return reason.replace(/\s*[\r\n]+\s*/g, " ");
}
