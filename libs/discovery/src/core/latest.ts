/**
 * A value that changes, read by `for await`: a reader gets the value there is and then each newer one, and when it is slow
 * the ones between are left out, so it can fall behind for a moment but never for good.
 */
export class Latest<T> {
  #value: { readonly current: T } | undefined;
  #version = 0;
  #isClosed = false;
  readonly #wakers = new Set<() => void>();

  get value(): T | undefined {
    return this.#value?.current;
  }

  /** Publishes a newer value. After `close` it does nothing. */
  set(value: T): void {
    if (this.#isClosed) return;
    this.#value = { current: value };
    this.#version += 1;
    this.#wake();
  }

  /** Ends every iteration, once it has seen the last value. */
  close(): void {
    this.#isClosed = true;
    this.#wake();
  }

  /** @param signal ends the iteration at once */
  async *read(signal?: AbortSignal): AsyncGenerator<T, void, void> {
    let seen = 0;
    while (!signal?.aborted) {
      if (this.#value && this.#version !== seen) {
        seen = this.#version;
        yield this.#value.current;
      } else if (this.#isClosed) {
        return;
      } else {
        await this.#changed(signal);
      }
    }
  }

  async #changed(signal?: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const wake = () => resolve();
    this.#wakers.add(wake);
    signal?.addEventListener("abort", wake);
    await promise;
    this.#wakers.delete(wake);
    signal?.removeEventListener("abort", wake); // the signal may live as long as the process
  }

  #wake(): void {
    for (const wake of [...this.#wakers]) wake();
  }
}
