import type { Clock } from "@grpc-lb/core";

/**
 * Sends each call when it is due, whether or not those before it have ended: an open loop. In a closed one, a slow server
 * would slow down its own load, and the calls that then are not made would not be seen waiting.
 *
 * @param dueTimes in milliseconds from the start, rising
 * @param send told when the call was due, on the clock; it may be late by as much as this process was busy
 * @returns when the last call was sent, or `signal` is aborted
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
