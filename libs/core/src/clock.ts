import { setTimeout as delay } from "node:timers/promises";

/** Where time comes from: everything that waits is given one, so that a test can move time by hand. */
export interface Clock {
  /** Milliseconds from an arbitrary start; never goes backwards. */
  now(): number;
  /**
   * Resolves after `ms` milliseconds, or as soon as `signal` is aborted; it never rejects. The wait keeps the process
   * alive, because it stands for work that is still to come; with `background` it does not.
   */
  sleep(ms: number, signal?: AbortSignal, options?: { readonly background?: boolean }): Promise<void>;
}

/** The machine's own monotonic clock. */
export const systemClock: Clock = {
  now: () => performance.now(),
  async sleep(ms, signal, { background = false } = {}) {
    try {
      await delay(ms, undefined, { ref: !background, ...(signal && { signal }) });
    } catch {
      // The only rejection is the abort, which ends the wait as promised.
    }
  },
};
