import { type Clock, type Random, systemClock } from "@grpc-lb/core";
import { endable, maxTimerMs } from "../core/endable.ts";
import { defaultMissingGraceMs } from "../core/missing-instances.ts";
import { SharedFeeds } from "../core/shared-feeds.ts";
import type { Source } from "../core/snapshot.ts";
import { type EtcdAccess, parseEtcdEndpoints, readEtcdEnvironment, validateEtcdCredentials } from "./access.ts";
import { type LayoutName, layoutOf, validateService } from "./layouts.ts";
import { type EtcdSourceStats, ServiceFeed } from "./service-feed.ts";

/** One a cluster, user and service. */
const feeds = new SharedFeeds<ServiceFeed>();

/** Which service, where and how. */
export interface EtcdSourceOptions extends EtcdAccess {
  /** Its name: the key of its instances without what follows the last slash, and for kratos without `/microservices/`. */
  readonly service: string;
  /** Whose keys and values. Default: `endpoints`, those of etcd's Go client. */
  readonly layout?: LayoutName;
  /** How long after an answer was due etcd is asked again whether it is still there, in milliseconds. Default: 10 s. */
  readonly progressIntervalMs?: number;
  /** How long an answer of etcd may take until another member is asked, connecting included, in milliseconds. Default: 5 s. */
  readonly answerTimeoutMs?: number;
  /**
   * How long instances are served that are missing when etcd is read again after a failure, or when its store is another or
   * went back, in milliseconds; whoever lives registers again within it, if by our registration. Default: 10 s.
   */
  readonly doubtMs?: number;
  /**
   * Whether a watch that is read does not keep the process alive by itself: for those whose pending work does, and whose
   * process may end when there is none. Default: false. A connection that is just being made keeps it alive all the same, for
   * `answerTimeoutMs` at most.
   */
  readonly background?: boolean;
  readonly clock?: Clock;
  readonly random?: Random;
}

/** A source that watches the instances of a service in etcd. */
export interface EtcdSource extends Source {
  /** What the watch has done and seen, also after its end; undefined before its start. */
  readonly stats: EtcdSourceStats | undefined;
}

/**
 * Watches a service whose instances are registered in etcd, 3.4 or newer. All sources of the same service and cluster, with the
 * same credentials, share one watch, which begins with the first reader and ends with the last; the other options of whoever came
 * first hold for it. Needed right: to read the range of the keys.
 *
 * An endpoint's id is its key behind `<service>/`. While etcd cannot be asked, the last good set serves and the error says why;
 * a value that is no endpoint is left out and told as an error beside the others.
 *
 * @throws RangeError for options that cannot be
 */
export function createEtcdSource(options: EtcdSourceOptions): EtcdSource {
  const { clock = systemClock, random = Math.random, background = false } = options;
  const { progressIntervalMs = 10_000, answerTimeoutMs = 5_000, doubtMs = defaultMissingGraceMs } = options;
  for (const [name, ms] of Object.entries({ progressIntervalMs, answerTimeoutMs })) {
    if (!(ms > 0 && ms <= maxTimerMs)) throw new RangeError(`${name} must be > 0 and <= ${maxTimerMs}, got ${ms}`);
  }
  if (!(doubtMs >= 0 && doubtMs <= maxTimerMs)) {
    throw new RangeError(`doubtMs must be >= 0 and <= ${maxTimerMs}, got ${doubtMs}`);
  }
  const service = validateService(options.service);
  const layout = layoutOf(options.layout);
  const credentials = validateEtcdCredentials(options.credentials ?? readEtcdEnvironment());
  const { endpoints } = options;
  parseEtcdEndpoints(endpoints);
  const key = JSON.stringify([layout.prefix(service), endpoints.toSorted(), credentials]);
  const access = { endpoints, credentials };
  const feedOptions = { access, service, layout, clock, random, progressIntervalMs, answerTimeoutMs, doubtMs };
  let feed: ServiceFeed | undefined;
  const shared = { key, clock, create: () => new ServiceFeed(feedOptions) };
  const onFeed = (found: ServiceFeed) => {
    feed = found;
  };
  return {
    subject: `etcd ${layout.prefix(service)}`,
    watch: (signal) => endable((ending) => feeds.read(shared, onFeed, ending), signal, background),
    get stats() {
      return feed?.stats;
    },
  };
}
