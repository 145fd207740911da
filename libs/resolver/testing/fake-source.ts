import { DiscoveryError, type DiscoveryErrorCode, type Endpoint, type Snapshot, type Source } from "@grpc-lb/discovery";
import type { FeedStats } from "@grpc-lb/discovery/kubernetes";

/**
 * A source over a list that a test controls. Each watch is given what is known and what comes; like a real source, it knows
 * nothing at its begin unless something was set.
 */
export class FakeSource implements Source {
  readonly subject: string;
  /** What the source says of its work. */
  stats: FeedStats | undefined;
  #latest: Snapshot | undefined;
  #watches = 0;
  #failure: Error | undefined;
  readonly #readers = new Set<() => void>();
  readonly #watchers = new Set<() => void>();

  constructor(subject = "service default/server") {
    this.subject = subject;
  }

  /** Watches begun. */
  get watches(): number {
    return this.#watches;
  }

  /** Watches that have not ended. */
  get openWatches(): number {
    return this.#readers.size;
  }

  /** Resolves as soon as so many watches are open. */
  async untilOpen(count: number): Promise<void> {
    while (this.openWatches !== count) await new Promise<void>((resolve) => this.#watchers.add(resolve));
  }

  /** There are these endpoints, and the source is well. */
  setEndpoints(endpoints: readonly Endpoint[], serviceConfig?: string): void {
    this.#set({ subject: this.subject, endpoints, lastSyncMs: 0, error: undefined, serviceConfig });
  }

  /** The source fails, and keeps what it knew. */
  setError(code: DiscoveryErrorCode, message: string): void {
    const { endpoints, lastSyncMs, serviceConfig } = this.#latest ?? {};
    const error = new DiscoveryError(code, message);
    this.#set({ subject: this.subject, endpoints, lastSyncMs, error, serviceConfig });
  }

  /** The source fails, and knows nothing. */
  setUnknown(code: DiscoveryErrorCode, message: string): void {
    this.#latest = undefined;
    this.setError(code, message);
  }

  /** It has not heard anything yet. */
  forget(): void {
    this.#latest = undefined;
  }

  /** Every open watch throws, which no source should. */
  throw(failure: Error): void {
    this.#failure = failure;
    this.#wake();
    this.#failure = undefined;
  }

  async *watch(signal?: AbortSignal): AsyncGenerator<Snapshot, void, void> {
    this.#watches += 1;
    let waiting = Promise.withResolvers<void>();
    let failure: Error | undefined;
    const wake = () => {
      failure ??= this.#failure;
      waiting.resolve();
    };
    this.#readers.add(wake);
    this.#changed();
    signal?.addEventListener("abort", wake);
    let seen: Snapshot | undefined;
    try {
      while (!signal?.aborted) {
        if (failure) throw failure;
        if (this.#latest && this.#latest !== seen) {
          seen = this.#latest;
          yield seen;
        } else {
          await waiting.promise;
          waiting = Promise.withResolvers<void>();
        }
      }
    } finally {
      this.#readers.delete(wake);
      this.#changed();
      signal?.removeEventListener("abort", wake);
    }
  }

  #set(snapshot: Snapshot): void {
    this.#latest = snapshot;
    this.#wake();
  }

  #changed(): void {
    for (const look of [...this.#watchers]) look();
    this.#watchers.clear();
  }

  #wake(): void {
    for (const wake of [...this.#readers]) wake();
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
