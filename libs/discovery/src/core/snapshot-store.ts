import type { Clock } from "@grpc-lb/core";
import type { DiscoveryError } from "./discovery-error.ts";
import { EndpointSet } from "./endpoint-set.ts";
import type { Snapshot } from "./snapshot.ts";
import type { SourceStats } from "./source-stats.ts";

/** Receives each newer snapshot. */
export type SnapshotListener = (snapshot: Snapshot) => void;

/** What a source knows beside the endpoints. */
export interface Synced {
  /** As in `Snapshot`. Default: none. */
  readonly serviceConfig?: string | undefined;
  /** As in `Snapshot`. Default: none. */
  readonly serviceConfigError?: DiscoveryError | undefined;
  /** Why there are no endpoints, or which of them cannot be used. Default: nothing. */
  readonly problem?: DiscoveryError | undefined;
}

/**
 * What is known of one service: its endpoints, the error beside them, and who listens. A source changes `endpoints` and then
 * calls `sync`; or it calls `fail`, and the last good endpoints stay. A snapshot that differs from the one before in nothing
 * but its time is not published.
 */
export class SnapshotStore {
  /** Changes count with the next `sync`. */
  readonly endpoints = new EndpointSet();
  /** As in `Snapshot`; a source may name it more precisely while it runs. */
  subject: string;
  /** As in `SourceStats`. */
  lists = 0;
  /** As in `SourceStats`. */
  watches = 0;
  /** As in `SourceStats`. */
  events = 0;
  readonly #clock: Clock;
  readonly #listeners = new Set<SnapshotListener>();
  readonly #errors = { notFound: 0, invalid: 0, permissionDenied: 0, unavailable: 0, portNotFound: 0 };
  #latest: Snapshot | undefined;
  #lastSyncMs: number | undefined;
  #failure: DiscoveryError | undefined;
  #synced: Synced | undefined;

  constructor(subject: string, clock: Clock) {
    this.subject = subject;
    this.#clock = clock;
  }

  /** Undefined until something is known, be it an error. */
  get latest(): Snapshot | undefined {
    return this.#latest;
  }

  get stats(): SourceStats {
    const { lists, watches, events } = this;
    const lastSyncAgeMs = this.#lastSyncMs === undefined ? undefined : this.#clock.now() - this.#lastSyncMs;
    return { lastSyncAgeMs, lists, watches, events, errors: { ...this.#errors } };
  }

  /** The server was heard: the endpoints are what it has now, and no failure keeps the source from it. */
  sync(synced: Synced = {}): void {
    this.#lastSyncMs = this.#clock.now();
    this.#failure = undefined;
    this.update(synced);
  }

  /** As `sync`, while a failure may go on: it stays beside what is known, and so does the time of the last sync. */
  update(synced: Synced): void {
    this.#count(synced.problem, this.#synced?.problem);
    this.#count(synced.serviceConfigError, this.#synced?.serviceConfigError);
    this.#synced = synced;
    this.#publish();
  }

  /** The source cannot do its work: the last good endpoints stay, with the error beside them. */
  fail(error: DiscoveryError): void {
    this.#count(error);
    this.#failure = error;
    this.#publish();
  }

  /** Calls `listener` with what is known now, and with each newer snapshot. @returns ends that; the listener may call it */
  subscribe(listener: SnapshotListener): () => void {
    const own: SnapshotListener = (snapshot) => listener(snapshot); // one listener may subscribe twice
    this.#listeners.add(own);
    if (this.#latest) this.#deliver(own, this.#latest);
    return () => void this.#listeners.delete(own);
  }

  #count(error: DiscoveryError | undefined, before?: DiscoveryError): void {
    if (error && error.message !== before?.message) this.#errors[error.code] += 1;
  }

  #publish(): void {
    const before = this.#latest;
    const { problem, serviceConfig, serviceConfigError } = this.#synced ?? {};
    const next: Snapshot = {
      subject: this.subject,
      endpoints: this.#synced && this.endpoints.all,
      lastSyncMs: this.#lastSyncMs,
      error: this.#failure ?? problem,
      serviceConfig,
      serviceConfigError,
    };
    this.#latest = next;
    const isNews =
      before === undefined ||
      before.endpoints !== next.endpoints ||
      before.error?.message !== next.error?.message ||
      before.serviceConfig !== next.serviceConfig ||
      before.serviceConfigError?.message !== next.serviceConfigError?.message;
    if (!isNews) return;
    for (const listener of [...this.#listeners]) {
      if (this.#latest !== next) return; // a listener has caused a newer one, which all have received
      if (this.#listeners.has(listener)) this.#deliver(listener, next);
    }
  }

  /** An exception of one listener must not keep the snapshot from the others. */
  #deliver(listener: SnapshotListener, snapshot: Snapshot): void {
    try {
      listener(snapshot);
    } catch (error) {
      process.emitWarning(error instanceof Error ? error : new Error(String(error)));
    }
  }
}
