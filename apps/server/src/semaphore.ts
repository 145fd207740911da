/** A counting semaphore with a queue: first come, first served. */
export class Semaphore {
  #free: number;
  /** In the order of arrival. */
  readonly #waiting = new Set<() => void>();

  /** @param permits how many can be held at once; 0 means no limit */
  constructor(permits: number) {
    this.#free = permits === 0 ? Number.POSITIVE_INFINITY : permits;
  }

  /** How many callers of `acquire` wait. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /**
   * Waits for a permit. The holder must `release` it.
   *
   * @returns false when `signal` was aborted first: the caller has left the queue and holds no permit
   */
  async acquire(signal: AbortSignal): Promise<boolean> {
    if (signal.aborted) return false;
    if (this.#free > 0) {
      this.#free -= 1;
      return true;
    }
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const leaveQueue = () => {
      this.#waiting.delete(grant);
      resolve(false);
    };
    const grant = () => {
      signal.removeEventListener("abort", leaveQueue);
      resolve(true);
    };
    this.#waiting.add(grant);
    signal.addEventListener("abort", leaveQueue, { once: true });
    return promise;
  }

  /** Passes the permit to the first in the queue, or returns it. */
  release(): void {
    for (const grant of this.#waiting) {
      this.#waiting.delete(grant);
      grant();
      return;
    }
    this.#free += 1;
  }
}
