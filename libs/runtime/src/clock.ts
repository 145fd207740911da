import { setTimeout as delay } from "node:timers/promises";

/** Where time comes from: everything that waits is given one, so that a test can move time by hand. */
export interface Clock {
  /** Milliseconds from an arbitrary start; never goes backwards. */
  now(): number;
  /**
   * Resolves after `ms` milliseconds, or as soon as `signal` is aborted; it never rejects. The wait keeps the process
   * alive: it stands for work that is still to come.
   */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** The machine's own monotonic clock. */
export const systemClock: Clock = {
  now: () => performance.now(),
  async sleep(ms, signal) {
    try {
      await delay(ms, undefined, signal ? { signal } : {});
    } catch {
      // The only rejection is the abort, which ends the wait as promised.
    }
  },
};
