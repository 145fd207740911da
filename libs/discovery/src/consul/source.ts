import { type Clock, type Random, systemClock } from "@grpc-lb/core";
import { endable, maxTimerMs } from "../core/endable.ts";
import { defaultMissingGraceMs } from "../core/missing-instances.ts";
import { SharedFeeds } from "../core/shared-feeds.ts";
import type { Address, Snapshot, Source } from "../core/snapshot.ts";
import type { SourceStats } from "../core/source-stats.ts";
import { type ConsulCredentials, readConsulEnvironment, validateConsulAccess } from "./access.ts";
import { type FeedOptions, healthPath, ServiceFeed } from "./service-feed.ts";

/** One a query. */
const feeds = new SharedFeeds<ServiceFeed>();

/** Which service, of which agent, and how. */
export interface ConsulSourceOptions {
  /** The agent's HTTP address, or with `credentials.tls` its HTTPS address. */
  readonly agent: Address;
  readonly service: string;
  /** Instances must have all of them. Default: none. */
  readonly tags?: readonly string[];
  /** The node whose nearest instances come first, `_agent` for the agent's own; then Consul's order is kept. Default: by id. */
  readonly near?: string | undefined;
  /** The datacenter. Default: the agent's. */
  readonly dc?: string | undefined;
  /**
   * How long one query waits for a change, in milliseconds, > 0 and at most 10 min. An agent that is frozen is noticed when
   * this, a sixteenth of it and `answerTimeoutMs` have passed. Default: 1 min.
   */
  readonly waitMs?: number | undefined;
  /** At most so many instances, the first ones in the order of the snapshot; >= 1. Default: all. */
  readonly limit?: number | undefined;
  /**
   * Whether only instances that pass all their checks count. With false the others count too: one with a warning by its
   * Weights.Warning, a critical one with weight 0. Default: true.
   */
  readonly healthy?: boolean;
  /** Whether a server that is not the leader may answer, which is faster and may be old. Default: false. */
  readonly allowStale?: boolean;
  /** Default: what `readConsulEnvironment` finds. */
  readonly credentials?: ConsulCredentials;
  /**
   * How long an answer may take beyond what it may wait, in milliseconds. Agents hold a request for 7 s when they look for a
   * leader (rpc_hold_timeout), and what they say then is worth more than that they said nothing. Default: 10 s.
   */
  readonly answerTimeoutMs?: number;
  /**
   * How long instances are served of which an agent that failed, or whose state went back, does not tell any more, in
   * milliseconds; whoever lives registers again within it, if by our registration. Default: 10 s.
   */
  readonly doubtMs?: number;
  /**
   * Whether a watch that is read does not keep the process alive by itself: for those whose pending work does, and whose
   * process may end when there is none. Default: false.
   */
  readonly background?: boolean;
  readonly clock?: Clock;
  readonly random?: Random;
}

/** A source that watches the instances of a service in Consul. */
export interface ConsulSource extends Source {
  /**
   * What the watch has done and seen, also after its end; undefined before its start. `lists` are queries for what there is,
   * `watches` those that waited for a change.
   */
  readonly stats: SourceStats | undefined;
}

/**
 * Watches a service in Consul by blocking queries for its health. All sources in a process that ask the same agent for the same,
 * with the same credentials, share one query, which begins with the first reader and ends with the last. Needed rights:
 * `service:read` on the service, `node:read` on the nodes of its instances.
 *
 * An endpoint's id is `node/service id`. A service that Consul does not know is an empty set. While the agent cannot be asked,
 * or refuses, the last good set serves and the error says why.
 *
 * @throws RangeError for options that cannot be
 */
export function createConsulSource(options: ConsulSourceOptions): ConsulSource {
  const { service, tags = [], near, dc, limit, healthy = true, allowStale = false, background = false } = options;
  const { clock = systemClock, random = Math.random } = options;
  const { waitMs = 60_000, answerTimeoutMs = 10_000, doubtMs = defaultMissingGraceMs } = options;
  const access = validateConsulAccess({
    agent: options.agent,
    credentials: options.credentials ?? readConsulEnvironment(),
  });
  for (const [name, text] of Object.entries({ service, near, dc })) {
    if (text === "") throw new RangeError(`${name} must not be empty`);
  }
  if (tags.includes("")) throw new RangeError("tags must not be empty");
  // https://developer.hashicorp.com/consul/api-docs/features/blocking: "This is limited to 10 minutes"
  if (!(waitMs > 0 && waitMs <= 600_000)) throw new RangeError(`waitMs must be > 0 and <= 600000, got ${waitMs}`);
  if (!(answerTimeoutMs > 0 && answerTimeoutMs <= maxTimerMs / 2)) {
    throw new RangeError(`answerTimeoutMs must be > 0 and <= ${maxTimerMs / 2}, got ${answerTimeoutMs}`);
  }
  if (!(doubtMs >= 0 && doubtMs <= maxTimerMs)) throw new RangeError(`doubtMs must be >= 0, got ${doubtMs}`);
  if (limit !== undefined && !(Number.isSafeInteger(limit) && limit >= 1)) {
    throw new RangeError(`limit must be a whole number >= 1, got ${limit}`);
  }
  const asked = { access, service, tags, near, dc, healthy, allowStale };
  const feedOptions: FeedOptions = { ...asked, waitMs: Math.ceil(waitMs), answerTimeoutMs, doubtMs, clock, random };
  let feed: ServiceFeed | undefined;
  const onFeed = (found: ServiceFeed) => {
    feed = found;
  };
  const key = JSON.stringify([access, healthPath(feedOptions), waitMs, answerTimeoutMs, doubtMs]);
  const shared = { key, clock, create: () => new ServiceFeed(feedOptions) };
  const read = (signal: AbortSignal) => {
    const snapshots = feeds.read(shared, onFeed, signal);
    return limit === undefined ? snapshots : cut(snapshots, limit);
  };
  return {
    subject: `consul service ${service}`,
    watch: (signal) => endable(read, signal, background),
    get stats() {
      return feed?.stats;
    },
  };
}

/** The first endpoints of each snapshot; what changes behind them is no news. */
async function* cut(
  snapshots: AsyncGenerator<Snapshot, void, void>,
  limit: number,
): AsyncGenerator<Snapshot, void, void> {
  let before: Snapshot | undefined;
  for await (const snapshot of snapshots) {
    const first = snapshot.endpoints?.slice(0, limit);
    const had = before?.endpoints;
    const isSame = first?.length === had?.length && (first ?? []).every((each, n) => each === had?.[n]);
    const isNews = !before || !isSame || before.error?.message !== snapshot.error?.message;
    before = { ...snapshot, endpoints: isSame ? had : first };
    if (isNews) yield before;
  }
}
