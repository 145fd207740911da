import type { ApiAccess } from "./api.ts";
import { type FeedOptions, ServiceFeed } from "./service-feed.ts";

/** One feed a service, however many sources and channels look at it. An access that nobody holds takes its feeds along. */
const feeds = new WeakMap<ApiAccess, Map<string, ServiceFeed>>();

/** The feed of a service; made when it is first asked for, and started and ended by its views. */
export function feedOf(options: FeedOptions): ServiceFeed {
  let ofAccess = feeds.get(options.access);
  if (!ofAccess) {
    ofAccess = new Map();
    feeds.set(options.access, ofAccess);
  }
  const key = `${options.namespace}/${options.service}`;
  let feed = ofAccess.get(key);
  if (!feed) {
    feed = new ServiceFeed(options);
    ofAccess.set(key, feed);
  }
  return feed;
}
