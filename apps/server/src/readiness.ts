/** The state that `/readyz`, gRPC health and the drain share. It goes forwards only. */
export type ReadinessState = "starting" | "ready" | "draining";

/** Whether the server wants new calls. */
export class Readiness {
  #state: ReadinessState = "starting";
  readonly #listeners: (() => void)[] = [];

  get state(): ReadinessState {
    return this.#state;
  }

  /** Calls `listener` after each change of the state. */
  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** The server is ready. No effect once it drains. */
  start(): void {
    if (this.#state === "starting") this.#setState("ready");
  }

  /** The server wants no new calls and is about to end. */
  end(): void {
    if (this.#state !== "draining") this.#setState("draining");
  }

  #setState(state: ReadinessState): void {
    this.#state = state;
    for (const listener of this.#listeners) listener();
  }
}
