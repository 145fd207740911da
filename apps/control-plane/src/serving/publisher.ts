import { type Clock, formatDuration } from "@grpc-lb/core";
import type { Endpoint, Source } from "@grpc-lb/discovery";
import type { SnapshotCache, SnapshotResult } from "@grpc-lb/xds/cache";
import type { Config } from "../config/config.ts";
import { clientGroups, clientKinds, readsEndpointsOnly } from "../resources/client-kind.ts";
import { type ProblemListener, Problems } from "./problems.ts";
import { PublicationPace } from "./publication-pace.ts";
import { backends, ServiceResources } from "./service-resources.ts";
import { WatchedSources } from "./watched-sources.ts";

/** What a publisher is made with. */
export interface PublisherOptions extends ProblemListener {
  readonly cache: SnapshotCache;
  readonly clock: Clock;
  createSource(target: string): Source;
  /** How long a service waits for those of its sources that have not answered, in milliseconds. */
  readonly syncTimeoutMs: number;
  /**
   * The least time between two publications of changed endpoints, in milliseconds. Where a publication takes longer, so long is the
   * pause after it, with the sending to clients. Default: 50.
   */
  readonly minGapMs?: number;
  /** Called when the endpoints of services have changed in the cache. */
  onPublished?(services: readonly string[]): void;
}

/** What is served of a service, for metrics. */
export interface ServiceStatus {
  readonly name: string;
  /** How many are served; undefined until they are known. */
  readonly endpoints: number | undefined;
  /** When the oldest of its sources last heard from its server, in the clock's milliseconds; undefined for never. */
  readonly lastSyncMs: number | undefined;
  /** Whether a source has an error, or has not answered in time. */
  readonly hasError: boolean;
}

/**
 * Puts the resources of a configuration into the cache, and keeps them current as endpoints and weights change.
 *
 * Nothing is published before every source has answered once, or the time for that has passed. After that time a service is served by
 * each priority whose sources have all answered. While there is none, the service is not answered for: clients wait, or keep the endpoints
 * that they have from another control plane. They never get an empty set or a part of a priority instead. A service whose sources are
 * configured in another way keeps the endpoints of those that left until new ones have taken their place, see `selectSources`.
 */
export class Publisher {
  readonly #options: PublisherOptions;
  readonly #sources: WatchedSources;
  readonly #resources: ServiceResources;
  readonly #problems: Problems;
  readonly #pace: PublicationPace;
  readonly #dirty = new Set<string>();
  readonly #closing = new AbortController();
  #isPublished = false;
  #isFlushing = false;
  readonly #published = Promise.withResolvers<void>();

  constructor(options: PublisherOptions) {
    this.#options = options;
    const { clock, createSource, syncTimeoutMs } = options;
    this.#sources = new WatchedSources({
      ...{ clock, createSource, syncTimeoutMs },
      onSnapshot: (target) => this.#onSnapshot(target),
      onOverdue: (target) => this.#onSnapshot(target),
    });
    this.#resources = new ServiceResources(this.#sources);
    this.#problems = new Problems(options);
    this.#pace = new PublicationPace(options.clock, options.minGapMs ?? 50);
  }

  /** Resolves when the first resources are in the cache. */
  get published(): Promise<void> {
    return this.#published.promise;
  }

  /** The targets that have not answered, and the services that they are sources of. */
  waitingFor(): readonly { readonly target: string; readonly services: readonly string[] }[] {
    return this.#sources.waitingFor().map((target) => ({ target, services: this.#servicesOf(target) }));
  }

  /** Serves another configuration. */
  setConfig(config: Config): void {
    if (this.#closing.signal.aborted) return;
    const targets = new Set([...backends(config)].flatMap(([, { sources }]) => sources.map(({ target }) => target)));
    this.#resources.setConfig(config);
    this.#sources.setTargets(targets);
    this.#problems.retain((key) => targets.has(key) || config.services.has(key));
    for (const target of targets) this.#reportSource(target);
    for (const [name] of backends(config)) this.#dirty.add(name);
    if (this.#isPublished) this.#publishAll();
    else void this.#flushSoon();
  }

  /** Multiplies the weights of a service's endpoints, by id; they are published if they change anything. */
  setFactors(name: string, factors: ReadonlyMap<string, number>): void {
    this.#resources.setFactors(name, factors);
    this.#markDirty(name);
  }

  /** The endpoints that a service has now; none until they are known. */
  endpointsOf(name: string): readonly Endpoint[] {
    return this.#resources.endpointsOf(name) ?? [];
  }

  /** The services that have endpoints of their own. */
  status(): readonly ServiceStatus[] {
    return [...backends(this.#resources.config)].map(([name, { sources }]) => {
      const snapshots = sources.map(({ target }) => this.#sources.snapshot(target));
      const times = snapshots.map((snapshot) => snapshot?.lastSyncMs);
      return {
        name,
        endpoints: this.#resources.countOf(name),
        lastSyncMs: times.reduce((oldest, time) =>
          oldest === undefined || time === undefined ? undefined : Math.min(oldest, time),
        ),
        hasError:
          snapshots.some((snapshot) => snapshot?.error !== undefined) ||
          sources.some(({ target }) => this.#sources.isOverdue(target)),
      };
    });
  }

  /** Ends all sources; what is in the cache stays. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#sources.close();
  }

  #onSnapshot(target: string): void {
    this.#reportSource(target);
    for (const name of this.#servicesOf(target)) this.#markDirty(name);
  }

  #markDirty(name: string): void {
    this.#dirty.add(name);
    void this.#flushSoon();
  }

  /** One publication for all that changes in a turn of the event loop, and for what changes shortly after another publication. */
  async #flushSoon(): Promise<void> {
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    const { signal } = this.#closing;
    await this.#pace.ready(signal);
    this.#isFlushing = false;
    if (signal.aborted) return;
    if (this.#isPublished) this.#publishDirty();
    else if (this.#sources.waitingFor().every((target) => this.#sources.isOverdue(target))) this.#publishAll();
  }

  #publishAll(): void {
    this.#publish(() => {
      for (const [name] of backends(this.#resources.config)) this.#dirty.add(name);
      this.#renewDirty();
      const { cache } = this.#options;
      const pending = this.#resources.pending();
      for (const kind of clientKinds) {
        const { resources, merged } = this.#resources.all(kind);
        for (const group of clientGroups[kind]) {
          const result = readsEndpointsOnly(group)
            ? cache.setSnapshot(group, [...resources, ...merged], { pending: [...pending.services, ...pending.splits] })
            : cache.setSnapshot(group, resources, { pending: pending.services });
          this.#check(result);
        }
      }
      this.#isPublished = true;
      this.#published.resolve();
    });
  }

  #publishDirty(): void {
    this.#publish(() => {
      const changed = this.#renewDirty();
      for (const kind of clientKinds) {
        const { resources, merged } = this.#resources.changed(kind, changed);
        for (const group of clientGroups[kind]) {
          const upserts = readsEndpointsOnly(group) ? [...resources, ...merged] : resources;
          this.#check(this.#options.cache.updateSnapshot(group, { upserts }));
        }
      }
    });
  }

  #publish(publish: () => void): void {
    this.#pace.run(publish);
    const names = [...this.#dirty];
    this.#dirty.clear();
    this.#options.onPublished?.(names);
  }

  /** @returns the services that have endpoints of their own among those that have changed */
  #renewDirty(): ReadonlySet<string> {
    const renewed = new Set<string>();
    for (const [name, backend] of backends(this.#resources.config)) {
      if (!this.#dirty.has(name)) continue;
      const skipped = this.#resources.renew(name, backend);
      if (skipped) this.#reportSkipped(name, skipped);
      renewed.add(name);
    }
    return renewed;
  }

  #reportSkipped(name: string, [first, ...others]: readonly string[]): void {
    const count = others.length + 1;
    const reason = `xDS clients take IP addresses only, and ${count} of its endpoints ${count === 1 ? "has" : "have"} none, such as ${first}`;
    this.#problems.report(name, first === undefined ? undefined : { t: "endpoints", services: [name], reason });
  }

  /** The services that have a target among their sources. */
  #servicesOf(target: string): readonly string[] {
    const all = [...backends(this.#resources.config)];
    return all.flatMap(([name, { sources }]) => (sources.some((source) => source.target === target) ? name : []));
  }

  #reportSource(target: string): void {
    const { endpoints, error } = this.#sources.snapshot(target) ?? {};
    const late = `${target}: no answer in ${formatDuration(this.#options.syncTimeoutMs)}`;
    const reason = error?.message ?? (this.#sources.isOverdue(target) ? late : undefined);
    const t = endpoints ? "source" : "missing";
    this.#problems.report(target, reason === undefined ? undefined : { t, services: this.#servicesOf(target), reason });
  }

  #check(result: SnapshotResult): void {
    if ("error" in result) this.#options.onProblem({ t: "resources", services: [], reason: result.error });
  }
}
