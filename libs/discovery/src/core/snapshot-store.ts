import { isDeepStrictEqual } from "node:util";
import { type Clock, messageOf } from "@grpc-lb/core";
import { DiscoveryError } from "./discovery-error.ts";
import { EndpointSet } from "./endpoint-set.ts";
import type { Drop, Endpoint, Snapshot } from "./snapshot.ts";
import type { SourceStats } from "./source-stats.ts";

/** Receives each newer snapshot. */
export type SnapshotListener = (snapshot: Snapshot) => void;

/** What a source learns in addition to the endpoints. */
export interface Synced {
  /** See `Snapshot.serviceConfig`. Default: none. */
  readonly serviceConfig?: string | undefined;
  /** See `Snapshot.serviceConfigError`. Default: none. */
  readonly serviceConfigError?: DiscoveryError | undefined;
  /** See `Snapshot.drops`. Default: none. */
  readonly drops?: readonly Drop[];
  /** Why there are no endpoints, or which of them cannot be used. Default: none. */
  readonly problem?: DiscoveryError | undefined;
}

/**
 * The state of one service: its endpoints and its error, published to listeners. A source changes `endpoints` and then calls
 * `sync`. When it cannot reach its server, it calls `fail`, which keeps the last good endpoints. A snapshot that differs from the
 * previous one only in its time is not published.
 */
export class SnapshotStore {
  /** The next `sync` or `update` publishes the changes. */
  readonly endpoints = new EndpointSet();
  /** See `Snapshot.subject`; a running source may make it more precise. */
  subject: string;
  /** See `SourceStats.lists`. */
  lists = 0;
  /** See `SourceStats.watches`. */
  watches = 0;
  /** See `SourceStats.events`. */
  events = 0;
  readonly #clock: Clock;
  readonly #listeners = new Set<{ readonly listener: SnapshotListener }>();
  readonly #errors = { notFound: 0, invalid: 0, permissionDenied: 0, unavailable: 0, portNotFound: 0 };
  #latest: Snapshot | undefined;
  /** The last snapshot that listeners received; `#latest` may have a later time. */
  #delivered: Snapshot | undefined;
  #lastSyncMs: number | undefined;
  #failure: DiscoveryError | undefined;
  #synced: Synced | undefined;

  constructor(subject: string, clock: Clock) {
    this.subject = subject;
    this.#clock = clock;
  }

  /** The latest snapshot; undefined until endpoints or an error are known. */
  get latest(): Snapshot | undefined {
    return this.#latest;
  }

  get stats(): SourceStats {
    const { lists, watches, events } = this;
    const lastSyncAgeMs = this.#lastSyncMs === undefined ? undefined : this.#clock.now() - this.#lastSyncMs;
    return { lastSyncAgeMs, lists, watches, events, errors: { ...this.#errors } };
  }

  /** Publishes the endpoints as the current state of the server, and clears a failure. */
  sync(synced: Synced = {}): void {
    this.#lastSyncMs = this.#clock.now();
    this.#failure = undefined;
    this.#publish(synced, this.endpoints.all);
  }

  /** Publishes like `sync`, but keeps a failure and the time of the last sync. */
  update(synced: Synced): void {
    this.#publish(synced, this.endpoints.all);
  }

  /** Publishes an error; the last good endpoints stay. Any other error counts as `unavailable`. */
  fail(error: DiscoveryError): void {
    const cause: unknown = error;
    const failure =
      cause instanceof DiscoveryError ? cause : new DiscoveryError("unavailable", messageOf(cause), { cause });
    this.#errors[failure.code] += 1;
    this.#failure = failure;
    this.#publish(this.#synced, this.#latest?.endpoints);
  }

  /**
   * Calls `listener` with the latest snapshot, if there is one, and with each newer one. An exception of a listener becomes a
   * process warning, so that the other listeners still receive the snapshot.
   *
   * @returns a function that ends the subscription; the listener itself may call it
   */
  subscribe(listener: SnapshotListener): () => void {
    const entry = { listener }; // one listener may subscribe twice
    this.#listeners.add(entry);
    if (this.#latest) this.#deliver([entry], this.#latest);
    return () => void this.#listeners.delete(entry);
  }

  #publish(synced: Synced | undefined, endpoints: readonly Endpoint[] | undefined): void {
    const before = this.#latest;
    const { problem, serviceConfig, serviceConfigError, drops = [] } = synced ?? {};
    if (problem && problem.message !== this.#synced?.problem?.message) this.#errors[problem.code] += 1;
    if (serviceConfigError && serviceConfigError.message !== this.#synced?.serviceConfigError?.message) {
      this.#errors[serviceConfigError.code] += 1;
    }
    this.#synced = synced;
    const next: Snapshot = {
      subject: this.subject,
      endpoints,
      lastSyncMs: this.#lastSyncMs,
      error: this.#failure ?? problem,
      serviceConfig,
      serviceConfigError,
      ...(drops.length > 0 && { drops }),
    };
    this.#latest = next;
    const isNews =
      before === undefined ||
      before.endpoints !== next.endpoints ||
      before.error?.message !== next.error?.message ||
      before.serviceConfig !== next.serviceConfig ||
      !isDeepStrictEqual(before.drops, next.drops) ||
      before.serviceConfigError?.message !== next.serviceConfigError?.message;
    if (!isNews) return;
    this.#delivered = next;
    this.#deliver([...this.#listeners], next);
  }

  #deliver(entries: readonly { readonly listener: SnapshotListener }[], snapshot: Snapshot): void {
    const newest = this.#delivered;
    for (const entry of entries) {
      if (this.#delivered !== newest) return; // a listener caused a newer snapshot, which all listeners have received
      if (!this.#listeners.has(entry)) continue;
      try {
        entry.listener(snapshot);
      } catch (error) {
        process.emitWarning(error instanceof Error ? error : messageOf(error));
      }
    }
  }
}
