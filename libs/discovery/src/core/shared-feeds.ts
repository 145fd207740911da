import type { Clock } from "@grpc-lb/core";
import type { Latest } from "./latest.ts";
import { SharedWatch } from "./shared-watch.ts";
import type { Snapshot } from "./snapshot.ts";

/** What watches one service until `signal` is aborted, and then leaves nothing. */
interface Feed {
  run(latest: Latest<Snapshot>, signal: AbortSignal): Promise<void>;
}

interface Shared<F> {
  readonly feed: F;
  readonly watch: SharedWatch;
  readers: number;
}

/** One feed for each key, however many sources and channels look at it. Who has another clock lives in another time. */
export class SharedFeeds<F extends Feed> {
  readonly #shared = new WeakMap<Clock, Map<string, Shared<F>>>();

  /**
   * Reads a feed until `signal` is aborted: the first reader has it made and starts its watch, and the last ends it.
   *
   * @param key by which readers share it: whatever makes two feeds different
   * @param onFeed takes the feed that is read
   */
  async *read(
    { key, clock, create }: { readonly key: string; readonly clock: Clock; create(): F },
    onFeed: (feed: F) => void,
    signal: AbortSignal,
  ): AsyncGenerator<Snapshot, void, void> {
    const ofClock = this.#shared.get(clock) ?? new Map<string, Shared<F>>();
    this.#shared.set(clock, ofClock);
    const shared = ofClock.get(key) ?? begin(create());
    ofClock.set(key, shared);
    shared.readers += 1;
    onFeed(shared.feed);
    try {
      yield* shared.watch.read(signal);
    } finally {
      shared.readers -= 1;
      if (shared.readers === 0) ofClock.delete(key);
    }
  }
}

function begin<F extends Feed>(feed: F): Shared<F> {
  return { feed, watch: new SharedWatch((latest, signal) => feed.run(latest, signal)), readers: 0 };
}
