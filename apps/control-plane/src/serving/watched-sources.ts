import type { Clock } from "@grpc-lb/core";
import type { Snapshot, Source, Subscription } from "@grpc-lb/discovery";

/** What the sources are watched with. */
export interface WatchedSourcesOptions {
  readonly clock: Clock;
  createSource(target: string): Source;
  /** How long a source may take for its first answer, in milliseconds. */
  readonly syncTimeoutMs: number;
  /** Called after each news of a target; not after it has left the set. */
  onSnapshot(target: string): void;
  /** Called when a target has not answered in time; not after it has left the set. */
  onOverdue(target: string): void;
}

interface WatchedState {
  snapshot: Snapshot | undefined;
  isOverdue: boolean;
  /** Aborted by the first answer, and by the end. */
  readonly waiting: AbortController;
}

interface Watched {
  readonly state: WatchedState;
  readonly subscription: Subscription;
}

/** The sources of a changing set of targets, each watched once. */
export class WatchedSources {
  readonly #options: WatchedSourcesOptions;
  readonly #watched = new Map<string, Watched>();
  readonly #ending = new Set<Promise<void>>();

  constructor(options: WatchedSourcesOptions) {
    this.#options = options;
  }

  /** Watches these targets and no others; those that stay are not interrupted. */
  setTargets(targets: ReadonlySet<string>): void {
    // The new ones first: a source that two targets share does not end in between.
    for (const target of targets) if (!this.#watched.has(target)) this.#watch(target);
    for (const [target, { state, subscription }] of this.#watched) {
      if (targets.has(target)) continue;
      this.#watched.delete(target);
      state.waiting.abort();
      this.#end(subscription);
    }
  }

  /** The latest that is known of a target; undefined if that is nothing yet. */
  snapshot(target: string): Snapshot | undefined {
    return this.#watched.get(target)?.state.snapshot;
  }

  /** The targets that have not answered yet. */
  waitingFor(): readonly string[] {
    return [...this.#watched].flatMap(([target, { state }]) => (state.snapshot?.endpoints ? [] : target));
  }

  /** Whether a target has not answered yet, and had the time for it. */
  isOverdue(target: string): boolean {
    const { state } = this.#watched.get(target) ?? {};
    return state?.isOverdue === true && !state.snapshot?.endpoints;
  }

  /** Resolves when all sources have ended. */
  async close(): Promise<void> {
    this.setTargets(new Set());
    await Promise.all(this.#ending);
  }

  #watch(target: string): void {
    // A source that runs already calls its listener before `subscribe` returns.
    const state: WatchedState = { snapshot: undefined, isOverdue: false, waiting: new AbortController() };
    const subscription = this.#options.createSource(target).subscribe((snapshot) => {
      state.snapshot = snapshot;
      if (snapshot.endpoints) state.waiting.abort();
      if (this.#watched.get(target)?.state === state) this.#options.onSnapshot(target);
    });
    this.#watched.set(target, { state, subscription });
    void this.#awaitAnswer(target, state);
  }

  async #awaitAnswer(target: string, state: WatchedState): Promise<void> {
    const { clock, syncTimeoutMs, onOverdue } = this.#options;
    const { signal } = state.waiting;
    await clock.sleep(syncTimeoutMs, signal, { background: true });
    if (signal.aborted) return;
    state.isOverdue = true;
    onOverdue(target);
  }

  #end(subscription: Subscription): void {
    const ended: Promise<void> = subscription.close().finally(() => this.#ending.delete(ended));
    this.#ending.add(ended);
  }
}
