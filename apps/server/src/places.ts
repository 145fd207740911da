/** So many places, and a line before them: first come, first served. */
export class Places {
  #free: number;
  /** In the order of their coming. */
  readonly #waiting = new Set<() => void>();

  /** @param capacity how many places there are, 0 for no limit */
  constructor(capacity: number) {
    this.#free = capacity === 0 ? Number.POSITIVE_INFINITY : capacity;
  }

  /** How many wait in line. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /**
   * Takes a place, when it is its turn. Who has got one must `leave` it.
   *
   * @returns false when `gone` was aborted first: it has left the line and has no place
   */
  async take(gone: AbortSignal): Promise<boolean> {
    if (gone.aborted) return false;
    if (this.#free > 0) {
      this.#free -= 1;
      return true;
    }
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const giveUp = () => {
      this.#waiting.delete(turn);
      resolve(false);
    };
    const turn = () => {
      gone.removeEventListener("abort", giveUp);
      resolve(true);
    };
    this.#waiting.add(turn);
    gone.addEventListener("abort", giveUp, { once: true });
    return promise;
  }

  /** Gives a place to the first in line, or back. */
  leave(): void {
    for (const turn of this.#waiting) {
      this.#waiting.delete(turn);
      turn();
      return;
    }
    this.#free += 1;
  }
}
