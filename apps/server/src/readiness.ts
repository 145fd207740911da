/** Whether new calls are wanted: the one truth that `/readyz`, gRPC health and the drain share. */
export class Readiness {
  #isReady = true;
  readonly #listeners: (() => void)[] = [];

  get isReady(): boolean {
    return this.#isReady;
  }

  /** Calls `listener` once, when the server no longer wants new calls. */
  onUnready(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** Says that no new calls are wanted. There is no way back: the process is about to end. */
  end(): void {
    if (!this.#isReady) return;
    this.#isReady = false;
    for (const listener of this.#listeners) listener();
  }
}
