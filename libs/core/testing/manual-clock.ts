import type { Clock } from "../src/clock.ts";
import { deadlineMs } from "./until.ts";

interface Sleeper {
  readonly dueMs: number;
  wake(): void;
}

/** A clock that advances only when a test moves it. */
export class ManualClock implements Clock {
  #nowMs = 0;
  readonly #sleepers = new Set<Sleeper>();
  readonly #watchers = new Set<() => void>();

  now(): number {
    return this.#nowMs;
  }

  /** The number of pending waits; 0 shows that none is left. */
  get sleeping(): number {
    return this.#sleepers.size;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = () => {
        this.#sleepers.delete(sleeper);
        signal?.removeEventListener("abort", wake);
        resolve();
      };
      const sleeper: Sleeper = { dueMs: this.#nowMs + ms, wake };
      this.#sleepers.add(sleeper);
      for (const watcher of [...this.#watchers]) watcher();
      signal?.addEventListener("abort", wake);
    });
  }

  /**
   * Resolves when at least `count` waits are pending: the code under test waits for time to pass.
   *
   * @throws Error when that does not happen within 20 s
   */
  async asleep(count = 1): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const check = () => this.#sleepers.size >= count && resolve();
    const late = () => reject(new Error(`${count} pending waits: ${this.#sleepers.size} within ${deadlineMs} ms`));
    const deadline = setTimeout(late, deadlineMs);
    this.#watchers.add(check);
    check();
    try {
      await promise;
    } finally {
      clearTimeout(deadline);
      this.#watchers.delete(check);
    }
  }

  /** Moves time forward and ends the waits that are due, earliest first. */
  advance(ms: number): void {
    this.#nowMs += ms;
    const due = [...this.#sleepers].filter((sleeper) => sleeper.dueMs <= this.#nowMs);
    for (const sleeper of due.sort((a, b) => a.dueMs - b.dueMs)) sleeper.wake();
  }
}
