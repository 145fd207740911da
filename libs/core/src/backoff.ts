import type { Random } from "./random.ts";

/** How long to wait before the next try, when tries fail one after the other. */
export interface Backoff {
  /** Milliseconds to wait now; the bound grows with each call. */
  next(): number;
  /** A try succeeded: begin anew. */
  reset(): void;
}

/**
 * Exponential backoff with full jitter: a uniform draw between 0 and a bound that doubles from `baseMs` to `maxMs`, so that
 * many clients which lost the same server do not come back together
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
