import type { Clock } from "@grpc-lb/runtime";
import { SharedWatch } from "../shared-watch.ts";
import type { Snapshot } from "../snapshot.ts";
import { type FeedOptions, healthPath, ServiceFeed } from "./service-feed.ts";

interface Shared {
  readonly feed: ServiceFeed;
  readonly watch: SharedWatch;
  readers: number;
}

/** One feed a query, however many sources and channels look at it. Who has another clock lives in another time. */
const shared = new WeakMap<Clock, Map<string, Shared>>();

/** Reads the feed of a query until `signal` is aborted: the first reader starts it, and the last ends it. */
export async function* readFeed(
  options: FeedOptions,
  onFeed: (feed: ServiceFeed) => void,
  signal: AbortSignal,
): AsyncGenerator<Snapshot, void, void> {
  const ofClock = shared.get(options.clock) ?? new Map<string, Shared>();
  shared.set(options.clock, ofClock);
  const { access, waitMs, answerTimeoutMs, doubtMs } = options;
  const key = JSON.stringify([access, healthPath(options), waitMs, answerTimeoutMs, doubtMs]);
  const found = ofClock.get(key) ?? begin(options);
  ofClock.set(key, found);
  found.readers += 1;
  onFeed(found.feed);
  try {
    yield* found.watch.read(signal);
  } finally {
    found.readers -= 1;
    if (found.readers === 0) ofClock.delete(key);
  }
}

function begin(options: FeedOptions): Shared {
  const feed = new ServiceFeed(options);
  return { feed, watch: new SharedWatch((latest, signal) => feed.run(latest, signal)), readers: 0 };
}
