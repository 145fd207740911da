import { setImmediate } from "node:timers/promises";
import { type Clock, formatDuration } from "@grpc-lb/core";
import type { Endpoint, Source } from "@grpc-lb/discovery";
import {
  clusterResource,
  createResource,
  listenerResource,
  type Resource,
  routeResource,
  type SnapshotCache,
  type SnapshotResult,
  typeUrls,
} from "@grpc-lb/xds/cache";
import type { Backend, Config, Service, Split } from "../config/config.ts";
import { encodeAssignment } from "../resources/assignment.ts";
import { type ClientKind, clientGroups, clientKinds, readsEndpointsOnly } from "../resources/client-kind.ts";
import { buildCluster } from "../resources/cluster.ts";
import {
  type BuiltEndpoints,
  buildEndpoints,
  type PrioritizedEndpoints,
  type ServiceEndpoints,
} from "../resources/endpoints.ts";
import { buildListener } from "../resources/listener.ts";
import { mergeSplit } from "../resources/merge-split.ts";
import { buildRoutes } from "../resources/route.ts";
import { WatchedSources } from "./watched-sources.ts";

/** What a publisher is made with. */
export interface PublisherOptions {
  readonly cache: SnapshotCache;
  readonly clock: Clock;
  createSource(target: string): Source;
  /** How long the first publication waits for sources that have not answered, in milliseconds. */
  readonly syncTimeoutMs: number;
  /**
   * The least time between two publications of changed endpoints, in milliseconds. Where a publication takes longer, so long is the
   * pause after it. Default: 50.
   */
  readonly minGapMs?: number;
  /** Called once for each new problem. */
  onProblem(problem: PublisherProblem): void;
  /** Called when a problem is over; not for what has left the configuration. */
  onSolved?(problem: PublisherProblem): void;
  /** Called when the endpoints of services have changed in the cache. */
  onPublished?(services: readonly string[]): void;
}

/** Why services are not served as they are configured. */
export interface PublisherProblem {
  /**
   * - `source`: a source has an error, or has not answered: its endpoints may be old.
   * - `endpoints`: some of the endpoints cannot be served, and are left out.
   * - `resources`: the resources are not consistent, and are not served. Cannot happen for a checked configuration.
   */
  readonly t: "source" | "endpoints" | "resources";
  /** Those that it concerns. */
  readonly services: readonly string[];
  /** One line. */
  readonly reason: string;
}

/** What is served of a service, for metrics. */
export interface ServiceStatus {
  readonly name: string;
  /** Undefined until its sources have answered. */
  readonly endpoints: number | undefined;
  /** When the oldest of its sources last heard from its server, in the clock's milliseconds; undefined for never. */
  readonly lastSyncMs: number | undefined;
  readonly hasError: boolean;
}

/** The last good endpoints of a service. */
interface Served {
  readonly sources: readonly (PrioritizedEndpoints & { readonly target: string })[];
  readonly endpoints: readonly Endpoint[];
  readonly built: ServiceEndpoints;
  readonly resources: Readonly<Record<ClientKind, Resource>>;
}

/**
 * Puts the resources of a configuration into the cache, and keeps them current as endpoints and weights change.
 *
 * Nothing is published before every source has answered once, or the time for that has passed. A service of which a source has not
 * answered yet is not answered for: clients wait, or keep the endpoints that they have from another control plane. They never get an
 * empty set or a part instead. A service whose sources are configured in another way keeps the endpoints of those that left until
 * all new ones have answered; those that stay remain current.
 */
export class Publisher {
  readonly #options: PublisherOptions;
  readonly #sources: WatchedSources;
  readonly #served = new Map<string, Served>();
  readonly #factors = new Map<string, ReadonlyMap<string, number>>();
  /** The last problem of each target and service, so that it is reported once. */
  readonly #problems = new Map<string, PublisherProblem>();
  readonly #dirty = new Set<string>();
  readonly #closing = new AbortController();
  /** Aborted by the first publication, and by the end. */
  readonly #waiting = new AbortController();
  #config: Config = { services: new Map() };
  #isPublished = false;
  #isFlushing = false;
  /** When the next publication of changed endpoints may be. */
  #nextMs = Number.NEGATIVE_INFINITY;
  #overdue: Promise<void> | undefined;
  readonly #published = Promise.withResolvers<void>();

  constructor(options: PublisherOptions) {
    this.#options = options;
    this.#sources = new WatchedSources(options.createSource, (target) => this.#onSnapshot(target));
  }

  /** Resolves when the first resources are in the cache. */
  get published(): Promise<void> {
    return this.#published.promise;
  }

  /** The targets that have not answered. */
  waitingFor(): readonly string[] {
    return this.#sources.waitingFor();
  }

  /** Serves another configuration. */
  setConfig(config: Config): void {
    if (this.#closing.signal.aborted) return;
    this.#config = config;
    const targets = new Set([...backends(config)].flatMap(([, { sources }]) => sources.map(({ target }) => target)));
    for (const name of [...this.#served.keys(), ...this.#factors.keys()]) {
      if (config.services.get(name)?.backend.t === "backend") continue;
      this.#served.delete(name);
      this.#factors.delete(name);
    }
    this.#sources.setTargets(targets);
    for (const key of this.#problems.keys())
      if (!targets.has(key) && !config.services.has(key)) this.#problems.delete(key);
    for (const [name] of backends(config)) this.#dirty.add(name);
    if (this.#isPublished) this.#publishAll();
    else {
      this.#overdue ??= this.#publishOverdue();
      void this.#flushSoon();
    }
  }

  /** Multiplies the weights of a service's endpoints, by id; they are published if they change anything. */
  setFactors(name: string, factors: ReadonlyMap<string, number>): void {
    this.#factors.set(name, factors);
    this.#markDirty(name);
  }

  /** The endpoints that a service has now; none until they are known. */
  endpointsOf(name: string): readonly Endpoint[] {
    return this.#served.get(name)?.endpoints ?? [];
  }

  /** The services that have endpoints of their own. */
  status(): readonly ServiceStatus[] {
    return [...backends(this.#config)].map(([name, { sources }]) => {
      const snapshots = sources.map(({ target }) => this.#sources.snapshot(target));
      const times = snapshots.map((snapshot) => snapshot?.lastSyncMs);
      return {
        name,
        endpoints: this.#served.get(name)?.endpoints.length,
        lastSyncMs: times.reduce((oldest, time) =>
          oldest === undefined || time === undefined ? undefined : Math.min(oldest, time),
        ),
        hasError: snapshots.some((snapshot) => snapshot?.error !== undefined),
      };
    });
  }

  /** Ends all sources; what is in the cache stays. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#waiting.abort();
    await Promise.all([this.#overdue, this.#sources.close()]);
  }

  #onSnapshot(target: string): void {
    const error = this.#sources.snapshot(target)?.error;
    this.#reportSource(target, error?.message);
    for (const name of this.#servicesOf(target)) this.#markDirty(name);
  }

  /** Publishes without the sources that have not answered in time. */
  async #publishOverdue(): Promise<void> {
    const { clock, syncTimeoutMs } = this.#options;
    await clock.sleep(syncTimeoutMs, this.#waiting.signal, { background: true });
    if (this.#closing.signal.aborted || this.#isPublished) return;
    for (const target of this.waitingFor()) {
      if (this.#problems.has(target)) continue;
      this.#reportSource(target, `${target}: no answer in ${formatDuration(syncTimeoutMs)}`);
    }
    this.#publishAll();
  }

  #markDirty(name: string): void {
    this.#dirty.add(name);
    void this.#flushSoon();
  }

  /** One publication for all that changes in a turn of the event loop, and for what changes shortly after another publication. */
  async #flushSoon(): Promise<void> {
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    const { clock } = this.#options;
    const { signal } = this.#closing;
    const leftMs = this.#nextMs - clock.now();
    await (leftMs > 0 ? clock.sleep(leftMs, signal, { background: true }) : setImmediate());
    this.#isFlushing = false;
    if (signal.aborted) return;
    if (this.#isPublished) this.#publishDirty();
    else if (this.waitingFor().length === 0) this.#publishAll();
  }

  #publishAll(): void {
    const beganMs = this.#options.clock.now();
    for (const [name, backend] of backends(this.#config)) this.#renew(name, backend);
    for (const kind of clientKinds) {
      const resources = [...this.#config.services.values()].flatMap((service) => this.#build(service, kind));
      const pending = this.#pendingOf(backends(this.#config));
      const merged = this.#mergeSplits(kind, () => true);
      const unknown = this.#pendingOf(splits(this.#config));
      for (const group of clientGroups[kind]) {
        const result = readsEndpointsOnly(group)
          ? this.#options.cache.setSnapshot(group, [...resources, ...merged], { pending: [...pending, ...unknown] })
          : this.#options.cache.setSnapshot(group, resources, { pending });
        this.#check(result);
      }
    }
    this.#isPublished = true;
    this.#waiting.abort();
    this.#published.resolve();
    this.#announce(beganMs);
  }

  #publishDirty(): void {
    const beganMs = this.#options.clock.now();
    const changed = new Set<string>();
    for (const [name, backend] of backends(this.#config)) {
      if (!this.#dirty.has(name)) continue;
      this.#renew(name, backend);
      changed.add(name);
    }
    for (const kind of clientKinds) {
      const upserts = [...changed].flatMap((name) => this.#assignmentOf(name, kind));
      const merged = this.#mergeSplits(kind, (service) => changed.has(service));
      for (const group of clientGroups[kind]) {
        const whole = readsEndpointsOnly(group) ? [...upserts, ...merged] : upserts;
        this.#check(this.#options.cache.updateSnapshot(group, { upserts: whole }));
      }
    }
    this.#announce(beganMs);
  }

  /** The names of those whose endpoints are not known yet. */
  #pendingOf(services: Iterable<readonly [name: string, backend: Backend | Split]>) {
    return [...services].flatMap(([name, backend]) => {
      const isKnown = usedBy(name, backend).every((service) => this.#served.has(service));
      return isKnown ? [] : { typeUrl: typeUrls.endpoints, name };
    });
  }

  /** The endpoints of the splits that have one of some services, and whose endpoints are known; for clients that are not gRPC's. */
  #mergeSplits(kind: ClientKind, isChanged: (service: string) => boolean): Resource[] {
    if (kind === "grpc") return [];
    return [...splits(this.#config)].flatMap(([name, split]) => {
      if (!usedBy(name, split).some(isChanged)) return [];
      const parts = split.parts.flatMap(({ service, weight }) => {
        const built = this.#served.get(service)?.built.envoy;
        return built ? { service, weight, built } : [];
      });
      const isKnown = usedBy(name, split).every((service) => this.#served.has(service));
      return isKnown ? assignmentResource(name, mergeSplit(parts)) : [];
    });
  }

  #announce(beganMs: number): void {
    const { clock, minGapMs = 50 } = this.#options;
    const nowMs = clock.now();
    this.#nextMs = nowMs + Math.max(minGapMs, nowMs - beganMs);
    const names = [...this.#dirty];
    this.#dirty.clear();
    this.#options.onPublished?.(names);
  }

  /** Takes the endpoints of the sources; those that had others keep them until all have answered. */
  #renew(name: string, backend: Backend): void {
    const { sources } = backend;
    const known = sources.flatMap(({ target, priority }) => {
      const { endpoints, drops } = this.#sources.snapshot(target) ?? {};
      return endpoints ? [{ target, priority, endpoints, drops }] : [];
    });
    const isComplete = known.length === sources.length;
    const before = this.#served.get(name);
    if (!isComplete && !before) return;
    const kept = isComplete ? [] : before?.sources.filter(({ target }) => !known.some((one) => one.target === target));
    const all = [...known, ...(kept ?? [])];
    const built = buildEndpoints(backend, all, this.#factors.get(name) ?? new Map());
    const envoy = assignmentResource(name, built.envoy);
    const grpc = built.grpc === built.envoy ? envoy : assignmentResource(name, built.grpc);
    const endpoints = all.flatMap(({ endpoints }) => endpoints);
    this.#served.set(name, { sources: all, endpoints, built, resources: { grpc, envoy } });
    this.#reportSkipped(name, built.skipped);
  }

  #build(service: Service, kind: ClientKind): Resource[] {
    const { name, backend } = service;
    const listener = buildListener(service, kind);
    const resources = [routeResource(buildRoutes(service, kind))];
    if (listener) resources.push(listenerResource(listener));
    if (backend.t === "split") return resources;
    const cluster = clusterResource(buildCluster(name, backend, kind));
    return [...resources, cluster, ...this.#assignmentOf(name, kind)];
  }

  #assignmentOf(name: string, kind: ClientKind): Resource[] {
    const served = this.#served.get(name);
    return served ? [served.resources[kind]] : [];
  }

  #reportSkipped(name: string, [first, ...others]: readonly string[]): void {
    const count = others.length + 1;
    const reason = `xDS clients take IP addresses only, and ${count} of its endpoints ${count === 1 ? "has" : "have"} none, such as ${first}`;
    this.#report(name, first === undefined ? undefined : { t: "endpoints", services: [name], reason });
  }

  /** The services that have a target among their sources. */
  #servicesOf(target: string): readonly string[] {
    const all = [...backends(this.#config)];
    return all.flatMap(([name, { sources }]) => (sources.some((source) => source.target === target) ? name : []));
  }

  #reportSource(target: string, reason: string | undefined): void {
    if (reason === undefined) this.#report(target, undefined);
    else this.#report(target, { t: "source", services: this.#servicesOf(target), reason });
  }

  /** Says a problem once, and again after it was gone. */
  #report(key: string, problem: PublisherProblem | undefined): void {
    const before = this.#problems.get(key);
    if (before?.reason === problem?.reason) return;
    if (problem) {
      this.#problems.set(key, problem);
      this.#options.onProblem(problem);
    } else {
      this.#problems.delete(key);
      if (before) this.#options.onSolved?.(before);
    }
  }

  #check(result: SnapshotResult): void {
    if ("error" in result) this.#options.onProblem({ t: "resources", services: [], reason: result.error });
  }
}

function* backends({ services }: Config): Generator<readonly [name: string, backend: Backend]> {
  for (const { name, backend } of services.values()) if (backend.t === "backend") yield [name, backend];
}

function* splits({ services }: Config): Generator<readonly [name: string, split: Split]> {
  for (const { name, backend } of services.values()) if (backend.t === "split") yield [name, backend];
}

/** The services whose endpoints take the calls of a service: itself, or the parts of a split. */
function usedBy(name: string, backend: Backend | Split): readonly string[] {
  if (backend.t === "backend") return [name];
  return backend.parts.flatMap(({ service, weight }) => (weight > 0 ? service : []));
}

function assignmentResource(name: string, built: BuiltEndpoints): Resource {
  return createResource(typeUrls.endpoints, name, encodeAssignment(name, built));
}
