import { type Clock, systemClock } from "@grpc-lb/core";

/** Tells waiters that something which they watch has changed. */
export class Changes {
  readonly #clock: Clock;
  readonly #waiters = new Set<() => void>();

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
  }

  /** Makes every waiter check again. */
  notify(): void {
    for (const check of [...this.#waiters]) check();
  }

  /**
   * Calls `check` now and at each change until it returns a value, and returns that.
   *
   * @returns undefined after `limitMs`, or when `signal` is aborted
   */
  async until<T>(check: () => T | undefined, limitMs: number, signal: AbortSignal): Promise<T | undefined> {
    const done = new AbortController();
    let found: T | undefined;
    const attempt = () => {
      found ??= check();
      if (found !== undefined) done.abort();
    };
    this.#waiters.add(attempt);
    try {
      attempt();
      const ends = AbortSignal.any([done.signal, signal]);
      if (!ends.aborted) await this.#clock.sleep(limitMs, ends);
      attempt();
      return found;
    } finally {
      this.#waiters.delete(attempt);
    }
  }
}
