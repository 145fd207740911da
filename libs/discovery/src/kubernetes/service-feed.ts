import type { Clock, Random } from "@grpc-lb/runtime";
import type { DiscoveryError } from "../discovery-error.ts";
import type { SourceStats } from "../source-stats.ts";
import { type ApiAccess, ApiClient } from "./api.ts";
import type { EndpointSlice, Service } from "./endpoint-slice.ts";
import { ListWatch, type ListWatchHandler } from "./list-watch.ts";
import { type ServiceAccess, ServiceReader } from "./service-reader.ts";

/** Who looks at the slices of a service: one for each port that somebody asked for. */
export interface FeedView {
  onSlice(slice: EndpointSlice): void;
  onSliceGone(name: string): void;
  /** The Service has other ports or annotations; the slices follow once more. */
  onService(service: Service | undefined): void;
  /** What came since the last time belongs together, and may be published. */
  onSettled(): void;
  /** Whether the Service, as it was read last, does not explain what the slices say. */
  readonly isPuzzled: boolean;
}

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

/**
 * The EndpointSlices of one service, watched once for all who look: the first view starts the watch, the last to leave ends
 * it. A feed that has ended knows nothing any more, so that whoever comes back is not told what was true then.
 */
export class ServiceFeed implements ListWatchHandler<EndpointSlice> {
  readonly #options: FeedOptions;
  readonly #views = new Set<FeedView>();
  readonly #slices = new Map<string, EndpointSlice>();
  /** The slices that some view could not take, or take away: it is told again with the next list. */
  readonly #owed = new Set<string>();
  /** The first exception of a view that the loop does not know of yet. */
  #failure: { readonly cause: unknown } | undefined;
  /** What is known of the Service itself. */
  readonly reader: ServiceReader;
  readonly #onEnded: () => void;
  #api: ApiClient | undefined;
  #running: { readonly controller: AbortController; readonly ended: Promise<void> } | undefined;
  #error: DiscoveryError | undefined;
  #lastSyncMs: number | undefined;
  #isSynced = false;
  #wasMissing = false;
  /** Loops that run, one that is aborted and ends included. */
  #loops = 0;
  readonly #counts = { lists: 0, watches: 0, target: 0, denied: 0, unavailable: 0, port: 0 };

  /** @param onEnded called each time when the last view has left and nothing runs any more */
  constructor(options: FeedOptions, onEnded = () => {}) {
    this.#options = options;
    this.#onEnded = onEnded;
    this.reader = new ServiceReader(options);
  }

  /** Whether everything there is was seen since the feed was started. */
  get isSynced(): boolean {
    return this.#isSynced;
  }

  get error(): DiscoveryError | undefined {
    return this.#error ?? this.#missing;
  }

  /** That the Service does not exist: without slices, that is why there are no endpoints. */
  get #missing(): DiscoveryError | undefined {
    return this.#isSynced && this.#slices.size === 0 ? this.reader.absence : undefined;
  }

  get lastSyncMs(): number | undefined {
    return this.#lastSyncMs;
  }

  get stats(): FeedStats {
    const { lists, watches, ...errors } = this.#counts;
    const lastSyncAgeMs = this.#lastSyncMs === undefined ? undefined : this.#options.clock.now() - this.#lastSyncMs;
    return { lastSyncAgeMs, lists, watches, errors, serviceAccess: this.reader.access };
  }

  /** Counts an error that a view has come to; each once. */
  count(error: DiscoveryError): void {
    this.#counts[error.code] += 1;
  }

  /** Shows a view what is known, and all that comes. */
  join(view: FeedView): void {
    this.#views.add(view);
    this.#show(view);
    if (!this.#running) this.#start();
  }

  /** Resolves when the view is told nothing more, and if it was the last one, when the watch has ended. */
  async leave(view: FeedView): Promise<void> {
    this.#views.delete(view);
    const running = this.#running;
    if (this.#views.size > 0 || !running) return;
    this.#running = undefined;
    running.controller.abort();
    this.#forget();
    await running.ended;
  }

  #start(): void {
    const { access, namespace, service, clock, random, idleDeadlineMs } = this.#options;
    const controller = new AbortController();
    const api = new ApiClient(access, clock, { background: true }); // whether the process lives on is its readers' to say
    this.#api = api;
    const loop = new ListWatch<EndpointSlice>(
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
    this.#loops += 1;
    const ended = loop.run(controller.signal).finally(() => {
      api.close();
      this.#loops -= 1;
      if (this.#loops === 0) this.#onEnded();
    });
    this.#running = { controller, ended };
  }

  #forget(): void {
    this.#slices.clear();
    this.#owed.clear();
    this.#failure = undefined;
    this.reader.forget();
    this.#error = undefined;
    this.#lastSyncMs = undefined;
    this.#isSynced = false;
    this.#wasMissing = false;
  }

  #show(view: FeedView): void {
    this.#tell((one) => one.onService(this.reader.service), [view]);
    for (const slice of this.#slices.values()) {
      if (!this.#tell((one) => one.onSlice(slice), [view])) this.#owed.add(slice.metadata.name);
    }
    this.#tell((one) => one.onSettled(), [view]);
  }

  /** Tells views; whether all could take it. An exception in one is no loss of the others, and is kept for the loop. */
  #tell(tell: (view: FeedView) => void, views: Iterable<FeedView> = [...this.#views]): boolean {
    let isTaken = true;
    for (const view of views) {
      try {
        tell(view);
      } catch (cause) {
        this.#failure ??= { cause };
        isTaken = false;
      }
    }
    return isTaken;
  }

  /** Throws what a view could not take, now that the others know: the loop says so, and lists anew. */
  #throwFailure(): void {
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure) throw failure.cause;
  }

  #settle(): void {
    const isMissing = this.#missing !== undefined;
    if (isMissing && !this.#wasMissing) this.#counts.target += 1;
    this.#wasMissing = isMissing;
    this.#tell((view) => view.onSettled());
  }

  /** Reads the Service. What cannot be resolved without it is said by the view. */
  async prepare(signal: AbortSignal): Promise<void> {
    if (!this.#api) return;
    const isNews = await this.reader.read(this.#api, signal);
    if (signal.aborted) return;
    if (this.reader.access === "denied") this.#counts.denied += 1;
    if (isNews) for (const view of [...this.#views]) this.#show(view);
    this.#settle();
  }

  get isUnsure(): boolean {
    const { access } = this.reader;
    if (access === "failed" || access === "denied") return access === "failed";
    if (this.#missing) return true; // what is said of the Service must not be old
    for (const view of this.#views) if (view.isPuzzled) return true;
    return false;
  }

  get isOutdated(): boolean {
    return this.reader.isDoubted;
  }

  /** Half of the endpoints gone at once is a deploy gone wrong, or an API server that answers with a part. */
  isSuspicious(items: readonly EndpointSlice[]): boolean {
    const count = (slices: Iterable<EndpointSlice>) =>
      [...slices].reduce((sum, { endpoints }) => sum + (endpoints?.length ?? 0), 0);
    const known = count(this.#slices.values());
    return known >= 2 && count(items) <= known / 2;
  }

  replace(items: readonly EndpointSlice[]): void {
    this.#counts.lists += 1;
    this.#failure = undefined; // what a view could not take before is told again
    const names = new Set(items.map(({ metadata }) => metadata.name));
    for (const name of [...this.#slices.keys(), ...this.#owed]) if (!names.has(name)) this.#remove(name);
    for (const slice of items) this.#set(slice);
    this.#isSynced = true;
    this.#throwFailure();
  }

  apply(type: "ADDED" | "MODIFIED" | "DELETED", slice: EndpointSlice): void {
    const hadSlices = this.#slices.size > 0;
    if (type === "DELETED") this.#remove(slice.metadata.name);
    else this.#set(slice);
    // The last slice goes with its Service; the first comes with a Service that was not there.
    if (hadSlices ? this.#slices.size === 0 : this.reader.absence) this.reader.doubt();
    this.#throwFailure();
  }

  onHeard(): void {
    this.#lastSyncMs = this.#options.clock.now();
    this.#error = undefined;
    this.#settle();
  }

  onFailure(error: DiscoveryError): void {
    this.#counts[error.code] += 1;
    this.#error = error;
    this.#settle();
  }

  onWatch(): void {
    this.#counts.watches += 1;
  }

  #set(slice: EndpointSlice): void {
    const { name, resourceVersion } = slice.metadata;
    const known = this.#slices.get(name)?.metadata.resourceVersion;
    if (known !== undefined && known === resourceVersion && !this.#owed.has(name)) return; // a list tells again what a watch has told
    this.#slices.set(name, slice);
    this.#owe(name, (view) => view.onSlice(slice));
  }

  #remove(name: string): void {
    if (!this.#slices.delete(name) && !this.#owed.has(name)) return;
    this.#owe(name, (view) => view.onSliceGone(name));
  }

  #owe(name: string, tell: (view: FeedView) => void): void {
    if (this.#tell(tell)) this.#owed.delete(name);
    else this.#owed.add(name);
  }
}
