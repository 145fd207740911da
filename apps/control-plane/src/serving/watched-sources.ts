import type { Snapshot, Source, Subscription } from "@grpc-lb/discovery";

interface Watched {
  readonly state: { snapshot: Snapshot | undefined };
  readonly subscription: Subscription;
}

/** The sources of a changing set of targets, each watched once. */
export class WatchedSources {
  readonly #createSource: (target: string) => Source;
  readonly #onSnapshot: (target: string) => void;
  readonly #watched = new Map<string, Watched>();
  readonly #ending = new Set<Promise<void>>();

  /** @param onSnapshot called after each news of a target; not after it has left the set */
  constructor(createSource: (target: string) => Source, onSnapshot: (target: string) => void) {
    this.#createSource = createSource;
    this.#onSnapshot = onSnapshot;
  }

  /** Watches these targets and no others; those that stay are not interrupted. */
  setTargets(targets: ReadonlySet<string>): void {
    // The new ones first: a source that two targets share does not end in between.
    for (const target of targets) if (!this.#watched.has(target)) this.#watch(target);
    for (const [target, { subscription }] of this.#watched) {
      if (targets.has(target)) continue;
      this.#watched.delete(target);
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

  /** Resolves when all sources have ended. */
  async close(): Promise<void> {
    this.setTargets(new Set());
    await Promise.all(this.#ending);
  }

  #watch(target: string): void {
    // A source that runs already calls its listener before `subscribe` returns.
    const state: Watched["state"] = { snapshot: undefined };
    const subscription = this.#createSource(target).subscribe((snapshot) => {
      state.snapshot = snapshot;
      if (this.#watched.get(target)?.state === state) this.#onSnapshot(target);
    });
    this.#watched.set(target, { state, subscription });
  }

  #end(subscription: Subscription): void {
    const ended: Promise<void> = subscription.close().finally(() => this.#ending.delete(ended));
    this.#ending.add(ended);
  }
}
