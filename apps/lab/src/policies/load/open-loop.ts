import type { Clock, Random } from "@grpc-lb/core";

/**
 * Generates the times when calls are due, as a Poisson process: independent calls, as from many clients that do not coordinate.
 *
 * @param rateHz calls a second, on average
 * @param untilMs the end, in milliseconds from the start
 * @returns increasing times in milliseconds from the start
 */
export function* arrivals(rateHz: number, untilMs: number, random: Random): Generator<number> {
  for (let dueMs = 0; ; ) {
    dueMs += (-Math.log(1 - random()) * 1000) / rateHz;
    if (dueMs >= untilMs) return;
    yield dueMs;
  }
}

/**
 * Sends each call when it is due, whether or not earlier calls have ended (an open loop). In a closed loop a slow server would
 * reduce its own load, and the calls that wait for it would not be measured.
 *
 * @param dueTimes increasing times in milliseconds from the start
 * @param send receives the time when the call was due, on the clock; it is called late when the process is busy
 * @returns after the last call was sent, or when `signal` is aborted
 */
export async function runOpenLoop(
  dueTimes: Iterable<number>,
  send: (dueMs: number, fromStartMs: number) => void,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  const startMs = clock.now();
  for (const fromStartMs of dueTimes) {
    const dueMs = startMs + fromStartMs;
    const waitMs = dueMs - clock.now();
    if (waitMs > 0) await clock.sleep(waitMs, signal);
    if (signal.aborted) return;
    send(dueMs, fromStartMs);
  }
}
