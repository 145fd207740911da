import { SharedWatch } from "../shared-watch.ts";
import type { Snapshot } from "../snapshot.ts";
import { type FeedOptions, ServiceFeed } from "./service-feed.ts";

interface Shared {
  readonly feed: ServiceFeed;
  readonly watch: SharedWatch;
  readers: number;
}

/** One feed a cluster, user and service, however many sources and channels look at it. */
const shared = new Map<string, Shared>();

/** Reads the feed of a service until `signal` is aborted: the first reader starts its watch, and the last ends it. */
export async function* readFeed(
  key: string,
  options: FeedOptions,
  onFeed: (feed: ServiceFeed) => void,
  signal: AbortSignal,
): AsyncGenerator<Snapshot, void, void> {
  const found = shared.get(key) ?? begin(options);
  shared.set(key, found);
  found.readers += 1;
  onFeed(found.feed);
  try {
    yield* found.watch.read(signal);
  } finally {
    found.readers -= 1;
    if (found.readers === 0 && shared.get(key) === found) shared.delete(key);
  }
}

function begin(options: FeedOptions): Shared {
  const feed = new ServiceFeed(options);
  return { feed, watch: new SharedWatch((latest, signal) => feed.run(latest, signal)), readers: 0 };
}
