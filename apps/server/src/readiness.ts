/** The state that `/readyz`, gRPC health and the drain share. It goes forwards only, except between ready and not-serving, a fault. */
export type ReadinessState = "starting" | "ready" | "not-serving" | "draining";

/** Whether the server wants new calls. */
export class Readiness {
  #state: ReadinessState = "starting";
  readonly #listeners: (() => void)[] = [];
  #isSuspended = false;
  #awaited: string | undefined;

  get state(): ReadinessState {
    return this.#isSuspended && this.#state === "ready" ? "not-serving" : this.#state;
  }

  /** Why the server is not ready: the state, and what the start waits for; undefined while it is ready. */
  get problem(): string | undefined {
    const { state } = this;
    if (state === "ready") return undefined;
    return state === "starting" && this.#awaited !== undefined ? `starting: waiting for ${this.#awaited}` : state;
  }

  /** Says what the start waits for. */
  waitFor(awaited: string): void {
    this.#awaited = awaited;
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

  /** While it is suspended, a server that would be ready is not serving. */
  suspend(isSuspended: boolean): void {
    if (isSuspended === this.#isSuspended) return;
    this.#isSuspended = isSuspended;
    for (const listener of this.#listeners) listener();
  }

  #setState(state: ReadinessState): void {
    this.#state = state;
    for (const listener of this.#listeners) listener();
  }
}
