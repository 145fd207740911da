import type { Clock } from "./clock.ts";
import { maxDurationMs } from "./duration.ts";

/** Waits for an abort, and keeps the process alive meanwhile: no timer lasts longer than 24.8 days, so one follows another. */
export async function untilAborted(signal: AbortSignal, clock: Clock): Promise<void> {
  while (!signal.aborted) await clock.sleep(maxDurationMs, signal);
}
