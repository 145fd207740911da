import type { Clock, Random } from "@grpc-lb/runtime";
import type { DiscoveryError, DiscoveryErrorCode } from "../discovery-error.ts";
import { type ApiAccess, ApiClient } from "./api.ts";
import type { EndpointSlice, Service } from "./endpoint-slice.ts";
import { ListWatch, type ListWatchHandler } from "./list-watch.ts";

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

/** What a feed has done and seen, for metrics. */
export interface FeedStats {
  /** Milliseconds since the API server was last heard; undefined for never. */
  readonly lastSyncAgeMs: number | undefined;
  readonly lists: number;
  /** Watches begun; one more for each restart. */
  readonly watches: number;
  readonly errors: Readonly<Record<DiscoveryErrorCode, number>>;
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
  #api: ApiClient | undefined;
  #service: Service | undefined;
  /** How the last attempt to read the Service ended. */
  #reading: "read" | "denied" | "failed" = "read";
  #running: { readonly controller: AbortController; readonly ended: Promise<void> } | undefined;
  #error: DiscoveryError | undefined;
  #lastSyncMs: number | undefined;
  #isSynced = false;
  readonly #counts = { lists: 0, watches: 0, target: 0, denied: 0, unavailable: 0, port: 0 };

  constructor(options: FeedOptions) {
    this.#options = options;
  }

  /** Whether everything there is was seen since the feed was started. */
  get isSynced(): boolean {
    return this.#isSynced;
  }

  get error(): DiscoveryError | undefined {
    return this.#error;
  }

  get lastSyncMs(): number | undefined {
    return this.#lastSyncMs;
  }

  get service(): Service | undefined {
    return this.#service;
  }

  get stats(): FeedStats {
    const { lists, watches, ...errors } = this.#counts;
    const lastSyncAgeMs = this.#lastSyncMs === undefined ? undefined : this.#options.clock.now() - this.#lastSyncMs;
    return { lastSyncAgeMs, lists, watches, errors };
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
    const api = new ApiClient(access, clock);
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
    this.#running = { controller, ended: loop.run(controller.signal).finally(() => api.close()) };
  }

  #forget(): void {
    this.#slices.clear();
    this.#service = undefined;
    this.#reading = "read";
    this.#error = undefined;
    this.#lastSyncMs = undefined;
    this.#isSynced = false;
  }

  #show(view: FeedView): void {
    view.onService(this.#service);
    for (const slice of this.#slices.values()) view.onSlice(slice);
    view.onSettled();
  }

  /**
   * Reads the Service, for the mapping of its ports and its annotations. Whoever may not read it does without: what cannot be
   * resolved then is said by the view.
   */
  async prepare(signal: AbortSignal): Promise<void> {
    const { namespace, service } = this.#options;
    const path = `/api/v1/namespaces/${namespace}/services/${service}`;
    const what = `get service ${namespace}/${service}`;
    let next: Service | undefined;
    let reading: "read" | "denied" | "failed" = "read";
    try {
      next = await this.#api?.get<Service>({ path, what, signal, silenceMs: serviceSilenceMs });
    } catch (error) {
      const { status } = error as DiscoveryError;
      // 404 is an answer, too. A server that fails or refuses leaves what is known; one that fails is asked again soon.
      reading = status === 404 ? "read" : status === 403 ? "denied" : "failed";
    }
    if (signal.aborted) return;
    this.#reading = reading;
    if (reading === "denied") this.#counts.denied += 1;
    if (reading !== "read" || relevant(next) === relevant(this.#service)) return;
    this.#service = next;
    for (const view of [...this.#views]) this.#show(view);
  }

  get isUnsure(): boolean {
    if (this.#reading !== "read") return this.#reading === "failed";
    for (const view of this.#views) if (view.isPuzzled) return true;
    return false;
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
    const names = new Set(items.map(({ metadata }) => metadata.name));
    for (const name of [...this.#slices.keys()]) if (!names.has(name)) this.#remove(name);
    for (const slice of items) this.#set(slice);
    this.#isSynced = true;
  }

  apply(type: "ADDED" | "MODIFIED" | "DELETED", slice: EndpointSlice): void {
    if (type === "DELETED") this.#remove(slice.metadata.name);
    else this.#set(slice);
  }

  onHeard(): void {
    this.#lastSyncMs = this.#options.clock.now();
    this.#error = undefined;
    for (const view of [...this.#views]) view.onSettled();
  }

  onFailure(error: DiscoveryError): void {
    this.#counts[error.code] += 1;
    this.#error = error;
    for (const view of [...this.#views]) view.onSettled();
  }

  onWatch(): void {
    this.#counts.watches += 1;
  }

  #set(slice: EndpointSlice): void {
    const { name, resourceVersion } = slice.metadata;
    const known = this.#slices.get(name)?.metadata.resourceVersion;
    if (known !== undefined && known === resourceVersion) return; // a list tells again what a watch has told
    this.#slices.set(name, slice);
    for (const view of [...this.#views]) view.onSlice(slice);
  }

  #remove(name: string): void {
    if (!this.#slices.delete(name)) return;
    for (const view of [...this.#views]) view.onSliceGone(name);
  }
}

/** The endpoints do not wait longer for the Service, which they hardly ever need. */
const serviceSilenceMs = 5_000;

/** What a change of the Service is judged by. */
function relevant(service: Service | undefined): string {
  return JSON.stringify([service?.spec?.ports, service?.metadata.annotations]);
}
