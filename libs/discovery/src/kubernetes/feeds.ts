import type { ApiAccess } from "./api.ts";
import { type FeedOptions, ServiceFeed } from "./service-feed.ts";

/** One feed a service, however many sources and channels look at it. An access that nobody holds takes its feeds along. */
const feeds = new WeakMap<ApiAccess, Map<string, ServiceFeed>>();

/** The feed of a service; made when it is asked for, started by its first view, and forgotten when the last one's watch has ended. */
export function feedOf(options: FeedOptions): ServiceFeed {
  const ofAccess = feeds.get(options.access) ?? new Map<string, ServiceFeed>();
  feeds.set(options.access, ofAccess);
  const key = `${options.namespace}/${options.service}`;
  let feed = ofAccess.get(key);
  if (!feed) {
    feed = new ServiceFeed(options, () => void ofAccess.delete(key));
    ofAccess.set(key, feed);
  }
  return feed;
}
