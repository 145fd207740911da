import type { Random } from "./random.ts";

/** How long to wait before the next attempt, while attempts fail. */
export interface Backoff {
  /** Milliseconds to wait before the next attempt; the bound doubles with each call. */
  next(): number;
  /** An attempt succeeded: the next wait starts from `baseMs` again. */
  reset(): void;
}

/**
 * Creates an exponential backoff with full jitter: each wait is a uniform draw between 0 and a bound that doubles from `baseMs`
 * to `maxMs`, so that clients that lost the same server do not reconnect all at once
 * (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).
 */
export function createBackoff(options: {
  readonly baseMs: number;
  readonly maxMs: number;
  readonly random: Random;
}): Backoff {
  let boundMs = options.baseMs;
  return {
    next() {
      const waitMs = options.random() * boundMs;
      boundMs = Math.min(boundMs * 2, options.maxMs);
      return waitMs;
    },
    reset() {
      boundMs = options.baseMs;
    },
  };
}
