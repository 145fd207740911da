import type { Clock, Random } from "@grpc-lb/core";
import type { DiscoveryError } from "../core/discovery-error.ts";
import type { SourceStats } from "../core/source-stats.ts";
import { type ApiAccess, ApiClient } from "./api.ts";
import type { EndpointSlice } from "./endpoint-slice.ts";
import { type FeedView, FeedViews } from "./feed-views.ts";
import { ListWatch, type ListWatchHandler } from "./list-watch.ts";
import { ServiceLoop, type ServiceLoopHost } from "./service-loop.ts";
import { type ServiceAccess, ServiceReader } from "./service-reader.ts";

/**
 * What a feed has done and seen since it was made, for metrics; one that everybody has left is made anew. Its errors are each
 * failure to list or watch; a reading of the Service that was denied; a reader's port that became unknown (`port`), and a
 * Service that turned out not to exist (`target`), once a change. `watches` is one more for each restart.
 */
export interface FeedStats extends SourceStats {
  /**
   * How the last attempt to read the Service ended: `denied` and `failed` cost the mapping of its ports and its service config,
   * and nothing else, so they are no error of a snapshot. Undefined before the first.
   */
  readonly serviceAccess?: ServiceAccess | undefined;
}

/** What a feed is about. */
export interface FeedOptions {
  readonly access: ApiAccess;
  readonly namespace: string;
  readonly service: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly idleDeadlineMs: number;
}

/** What a feed runs while somebody looks. */
interface Run {
  readonly controller: AbortController;
  readonly serviceLoop: ServiceLoop;
  readonly ended: Promise<void>;
}

/**
 * The EndpointSlices of one service, watched once for all who look: the first view starts the watch, the last to leave ends
 * it. A feed that has ended knows nothing any more, so that whoever comes back is not told what was true then.
 */
export class ServiceFeed implements ListWatchHandler<EndpointSlice>, ServiceLoopHost {
  readonly #options: FeedOptions;
  readonly #views = new FeedViews();
  readonly #onEnded: () => void;
  #reader: ServiceReader;
  #running: Run | undefined;
  #error: DiscoveryError | undefined;
  #lastSyncMs: number | undefined;
  #hasListed = false;
  /** Whether the first reading of the Service is no longer waited for. */
  #isLate = false;
  #wasMissing = false;
  /** Runs that are not over, one that is aborted and ends included. */
  #runs = 0;
  readonly #counts = {
    lists: 0,
    watches: 0,
    notFound: 0,
    invalid: 0,
    permissionDenied: 0,
    unavailable: 0,
    portNotFound: 0,
  };

  /** @param onEnded called each time when the last view has left and nothing runs any more */
  constructor(options: FeedOptions, onEnded = () => {}) {
    this.#options = options;
    this.#onEnded = onEnded;
    this.#reader = new ServiceReader(options);
  }

  /** What is known of the Service itself. */
  get reader(): ServiceReader {
    return this.#reader;
  }

  /** Whether all slices there are were seen since the feed was started, and the Service too unless it takes its time. */
  get isSynced(): boolean {
    return this.#hasListed && (this.#reader.access !== undefined || this.#isLate);
  }

  get error(): DiscoveryError | undefined {
    return this.#error ?? this.#missing;
  }

  /** That the Service does not exist: without slices, that is why there are no endpoints. */
  get #missing(): DiscoveryError | undefined {
    return this.#hasListed && this.#views.sliceCount === 0 ? this.#reader.absence : undefined;
  }

  get lastSyncMs(): number | undefined {
    return this.#lastSyncMs;
  }

  get stats(): FeedStats {
    const { lists, watches, ...errors } = this.#counts;
    const lastSyncAgeMs = this.#lastSyncMs === undefined ? undefined : this.#options.clock.now() - this.#lastSyncMs;
    return { lastSyncAgeMs, lists, watches, events: 0, errors, serviceAccess: this.#reader.access };
  }

  /** Counts an error that a view has come to; each once. */
  count(error: DiscoveryError): void {
    this.#counts[error.code] += 1;
  }

  /** Shows a view what is known, and all that comes. */
  join(view: FeedView): void {
    this.#views.add(view, this.#reader.service);
    this.#running ??= this.#start();
    this.#running.serviceLoop.look(); // its port may be the riddle
  }

  /** Resolves when the view is told nothing more, and if it was the last one, when the watch has ended. */
  async leave(view: FeedView): Promise<void> {
    this.#views.delete(view);
    const running = this.#running;
    if (!this.#views.isEmpty || !running) return;
    this.#running = undefined;
    running.controller.abort();
    this.#forget();
    await running.ended;
  }

  #start(): Run {
    const { access, namespace, service, clock, random, idleDeadlineMs } = this.#options;
    const controller = new AbortController();
    const api = new ApiClient(access, clock, { background: true }); // whether the process lives on is its readers' to say
    const listWatch = new ListWatch<EndpointSlice>(
      {
        api,
        path: `/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices`,
        labelSelector: `kubernetes.io/service-name=${service}`,
        subject: `endpointslices ${namespace}/${service}`,
        clock,
        random,
        idleDeadlineMs,
      },
      this,
    );
    const serviceLoop = new ServiceLoop({ api, clock, reader: this.#reader }, this);
    this.#runs += 1;
    const loops = [listWatch, serviceLoop].map((loop) => loop.run(controller.signal));
    const ended = Promise.all(loops).then(() => {
      api.close();
      this.#runs -= 1;
      if (this.#runs === 0) this.#onEnded();
    });
    return { controller, serviceLoop, ended };
  }

  #forget(): void {
    this.#views.clear();
    this.#reader = new ServiceReader(this.#options); // the reading under way, if any, ends in the old one
    this.#error = undefined;
    this.#lastSyncMs = undefined;
    this.#hasListed = false;
    this.#isLate = false;
    this.#wasMissing = false;
  }

  #settle(): void {
    const isMissing = this.#missing !== undefined;
    if (isMissing && !this.#wasMissing) this.#counts.notFound += 1;
    this.#wasMissing = isMissing;
    this.#views.settle();
    this.#running?.serviceLoop.look();
  }

  // ── What the reading of the Service asks and tells

  get isUnsure(): boolean {
    const { access } = this.#reader;
    if (access === "failed" || access === "permissionDenied") return access === "failed";
    return this.#missing !== undefined || this.#views.isPuzzled; // what is said of the Service must not be old
  }

  get isAnswering(): boolean {
    return this.#error === undefined;
  }

  onRead(isNews: boolean): void {
    if (this.#reader.access === "permissionDenied") this.#counts.permissionDenied += 1;
    if (isNews) this.#views.setService(this.#reader.service);
    this.#settle();
  }

  onLate(): void {
    this.#isLate = true;
    this.#settle();
  }

  // ── What the watch of the slices asks and tells

  refresh(): void {
    this.#running?.serviceLoop.ask();
  }

  /** Half of the endpoints gone at once is a deploy gone wrong, or an API server that answers with a part. */
  isSuspicious(items: readonly EndpointSlice[], before?: readonly EndpointSlice[]): boolean {
    const count = (slices: readonly EndpointSlice[]) =>
      slices.reduce((sum, { endpoints }) => sum + (endpoints?.length ?? 0), 0);
    const [known, listed] = [count(this.#views.slices), count(items)];
    return known >= 2 && listed <= known / 2 && !(before && listed >= count(before));
  }

  replace(items: readonly EndpointSlice[]): void {
    this.#counts.lists += 1;
    this.#hasListed = true;
    this.#views.replace(items);
  }

  apply(type: "ADDED" | "MODIFIED" | "DELETED", slice: EndpointSlice): void {
    const had = this.#views.sliceCount;
    try {
      this.#views.apply(type, slice);
    } finally {
      // The last slice goes with its Service; the first comes with a Service that was not there.
      if (had > 0 ? this.#views.sliceCount === 0 : !this.#reader.isKnown) this.#reader.doubt();
    }
  }

  onHeard(): void {
    this.#lastSyncMs = this.#options.clock.now();
    this.#error = undefined;
    this.#settle();
  }

  onFailure(error: DiscoveryError): void {
    this.#counts[error.code] += 1;
    this.#error = error;
    if (this.#hasListed) this.#isLate = true; // who is told of an error is told what there is, too
    this.#settle();
  }

  onWatch(): void {
    this.#counts.watches += 1;
  }
}
