import { isDeepStrictEqual } from "node:util";
import type { DiscoveryError } from "./discovery-error.ts";
import type { Latest } from "./latest.ts";
import type { Endpoint, Snapshot } from "./snapshot.ts";

/** What a source has learned by one look. */
export interface Learned {
  readonly endpoints: readonly Endpoint[];
  /** In the clock's milliseconds. */
  readonly atMs: number;
  readonly serviceConfig?: string | undefined;
  /** What is wrong all the same. */
  readonly error?: DiscoveryError | undefined;
}

/**
 * The last good set of a source, with the error beside it. What changed is published and nothing else; an endpoint that did
 * not change stays the same object.
 */
export class LastGood {
  readonly #latest: Latest<Snapshot>;
  #now: Snapshot;

  constructor(subject: string, latest: Latest<Snapshot>) {
    this.#latest = latest;
    this.#now = { subject, endpoints: undefined, lastSyncMs: undefined, error: undefined, serviceConfig: undefined };
  }

  /** Undefined when nothing was ever learned. */
  get endpoints(): readonly Endpoint[] | undefined {
    return this.#now.endpoints;
  }

  /** There is a new set. */
  set({ endpoints, atMs, serviceConfig, error }: Learned): void {
    const kept = this.#keep(endpoints);
    this.#publish({ ...this.#now, endpoints: kept, lastSyncMs: atMs, serviceConfig, error });
  }

  /** The last good set stays, and this is why there is no newer one. */
  fail(error: DiscoveryError): void {
    this.#publish({ ...this.#now, error });
  }

  #keep(next: readonly Endpoint[]): readonly Endpoint[] {
    const before = this.#now.endpoints ?? [];
    const byId = new Map(before.map((endpoint) => [endpoint.id, endpoint]));
    const kept = next.map((endpoint) => {
      const old = byId.get(endpoint.id);
      return old && isDeepStrictEqual(old, endpoint) ? old : endpoint;
    });
    const isSame = this.#now.endpoints && kept.length === before.length && kept.every((each, n) => each === before[n]);
    return isSame ? before : kept;
  }

  /** Time passing is no news. */
  #publish(next: Snapshot): void {
    const before = this.#now;
    this.#now = next;
    const isNews =
      this.#latest.value === undefined ||
      before.endpoints !== next.endpoints ||
      before.error?.message !== next.error?.message ||
      before.serviceConfig !== next.serviceConfig;
    if (isNews) this.#latest.set(next);
  }
}
