import type { Clock } from "../clock.ts";

/** What the clients of the suite share: one call after the other, a line for each, and no death by a failed call. */
export interface CallLoopOptions {
  /** Makes one call and gives the name of the pod that answered; a rejection is a failed call. It ends by itself. */
  readonly call: () => Promise<string>;
  /** The pause between the end of a call and the start of the next, in milliseconds. */
  readonly intervalMs: number;
  /** How many calls to make, failed ones included; 0 is for ever. */
  readonly count: number;
  /** Once aborted, the call under way is waited for and no other is made. */
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
  let succeeded = 0;
  let failed = 0;
  while (!options.signal.aborted) {
    const result = await attempt(options.call);
    if ("pod" in result) {
      succeeded += 1;
      options.writeCall(`#${succeeded}: ${result.pod}`);
    } else {
      failed += 1;
      options.writeError(`Error: ${result.reason}`);
    }
    if (succeeded + failed === options.count) break;
    await options.clock.sleep(options.intervalMs, options.signal);
  }
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
