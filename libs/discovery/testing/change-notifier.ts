/** Longer than the slowest machine needs: only a failing test waits this long. */
const deadlineMs = 20_000;

/** Wakes those that wait for a fake server to change. */
export class ChangeNotifier {
  readonly #waiting = new Set<() => void>();

  /** Wakes all waiters. */
  notify(): void {
    for (const wake of [...this.#waiting]) wake();
  }

  /** Resolves at the next change or after `timeoutMs`. Default: no timeout. The timer does not keep the process alive. */
  async next(timeoutMs?: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.add(resolve);
    const timer = timeoutMs === undefined ? undefined : setTimeout(resolve, timeoutMs).unref();
    await promise;
    clearTimeout(timer);
    this.#waiting.delete(resolve);
  }

  /**
   * Resolves as soon as the condition holds. Checks it at once and then after each change.
   *
   * @param state returns the counts that the condition receives
   * @throws Error with the condition and the counts when it does not hold within 20 s
   */
  async until<S>(holds: (state: S) => boolean, state: () => S): Promise<void> {
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      this.notify();
    }, deadlineMs);
    try {
      while (!holds(state())) {
        if (isLate) throw new Error(`${holds}: not within ${deadlineMs / 1_000} s: ${JSON.stringify(state())}`);
        await this.next();
      }
    } finally {
      clearTimeout(timer);
    }
  }
}
