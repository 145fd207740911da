import { setTimeout as delay } from "node:timers/promises";

/** The source of time. Code that waits takes one as a parameter, so that a test can move time by hand. */
export interface Clock {
  /** Milliseconds from an arbitrary start; never goes backwards. */
  now(): number;
  /**
   * Resolves after `ms` milliseconds, or as soon as `signal` is aborted; never rejects. The wait keeps the process alive,
   * unless `background` is true.
   */
  sleep(ms: number, signal?: AbortSignal, options?: { readonly background?: boolean }): Promise<void>;
}

/** The machine's monotonic clock. */
export const systemClock: Clock = {
  now: () => performance.now(),
  async sleep(ms, signal, { background = false } = {}) {
    try {
      await delay(ms, undefined, { ref: !background, ...(signal && { signal }) });
    } catch {
      // The only rejection is the abort.
    }
  },
};
