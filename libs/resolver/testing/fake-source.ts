import { until } from "@grpc-lb/core/testing";
import {
  DiscoveryError,
  type DiscoveryErrorCode,
  type Drop,
  defineSource,
  type Endpoint,
  type Snapshot,
  type SnapshotListener,
  type SnapshotStore,
  type Source,
  type SourceStats,
  type Subscription,
} from "@grpc-lb/discovery";

let count = 0;

/**
 * A source whose knowledge a test controls. Each run begins with what was set; like a real source, it knows nothing before
 * something was set.
 */
export class FakeSource implements Source {
  /** Runs that have begun. */
  runs = 0;
  readonly #source: Source;
  readonly #stores = new Set<SnapshotStore>();
  #endpoints: readonly Endpoint[] | undefined;
  #serviceConfig: string | undefined;
  #drops: readonly Drop[] = [];
  #serviceConfigError: DiscoveryError | undefined;
  #error: DiscoveryError | undefined;

  constructor(subject = "service default/server") {
    this.#source = defineSource({
      subject,
      key: `fake ${++count}`,
      start: (store, signal) => this.#run(store, signal),
    });
  }

  get subject(): string {
    return this.#source.subject;
  }

  get stats(): SourceStats {
    return this.#source.stats;
  }

  /** Runs that have not ended. */
  get openRuns(): number {
    return this.#stores.size;
  }

  subscribe(listener: SnapshotListener): Subscription {
    return this.#source.subscribe(listener);
  }

  watch(signal?: AbortSignal): AsyncIterableIterator<Snapshot> {
    return this.#source.watch(signal);
  }

  /** Resolves as soon as so many runs are open. */
  untilOpen(runs: number): Promise<void> {
    return until(() => this.openRuns === runs, `${runs} open runs of ${this.subject}`);
  }

  /** There are these endpoints, in this order, and the source is well. */
  setEndpoints(endpoints: readonly Endpoint[], serviceConfig?: string): void {
    this.#endpoints = endpoints;
    this.#serviceConfig = serviceConfig;
    this.#error = undefined;
    this.#publish();
  }

  /** A part of the calls is to be dropped. */
  setDrops(...drops: readonly Drop[]): void {
    this.#drops = drops;
    this.#publish();
  }

  /** The source fails, and keeps what it knows. */
  setError(code: DiscoveryErrorCode, message: string): void {
    this.#error = new DiscoveryError(code, message);
    for (const store of this.#stores) store.fail(this.#error);
  }

  /** The service config cannot be read, and the endpoints can. */
  setServiceConfigError(code: DiscoveryErrorCode, message: string): void {
    this.#serviceConfigError = new DiscoveryError(code, message);
    this.#publish();
  }

  /** The next run knows nothing. */
  forget(): void {
    this.#endpoints = undefined;
    this.#serviceConfig = undefined;
    this.#error = undefined;
  }

  async #run(store: SnapshotStore, signal: AbortSignal): Promise<void> {
    this.runs += 1;
    this.#stores.add(store);
    this.#publish();
    await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
    this.#stores.delete(store);
  }

  #publish(): void {
    for (const store of this.#stores) {
      if (this.#endpoints) {
        store.endpoints.replaceAll(this.#endpoints, { keepsOrder: true });
        const [serviceConfig, serviceConfigError] = [this.#serviceConfig, this.#serviceConfigError];
        store.sync({ serviceConfig, serviceConfigError, drops: this.#drops });
      }
      if (this.#error) store.fail(this.#error);
    }
  }
}

/** An endpoint at these ports of this machine; more than one is one pod with several addresses. */
export function endpointAt(...ports: readonly number[]): Endpoint {
  return {
    id: `pod-${ports.join("-")}`,
    addresses: ports.map((port) => ({ host: "127.0.0.1", port })),
    weight: 1,
    zone: undefined,
    forZones: [],
    nodeName: undefined,
    metadata: {},
  };
}
