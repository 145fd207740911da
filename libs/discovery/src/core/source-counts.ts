import type { Clock } from "@grpc-lb/core";
import type { DiscoveryError } from "./discovery-error.ts";
import type { SourceStats } from "./source-stats.ts";

/** Counts what a source does; the counts outlive its watches. */
export class SourceCounts {
  readonly #clock: Clock;
  readonly #errors = { notFound: 0, invalid: 0, permissionDenied: 0, unavailable: 0, portNotFound: 0 };
  #lastSyncMs: number | undefined;
  /** As in `SourceStats`. */
  lists = 0;
  /** As in `SourceStats`. */
  watches = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The server, or whatever stands for it, has said what there is. */
  heard(): void {
    this.#lastSyncMs = this.#clock.now();
  }

  failed({ code }: DiscoveryError): void {
    this.#errors[code] += 1;
  }

  /** When it was heard last, in the clock's milliseconds; undefined for never. */
  get lastSyncMs(): number | undefined {
    return this.#lastSyncMs;
  }

  get stats(): SourceStats {
    const lastSyncAgeMs = this.#lastSyncMs === undefined ? undefined : this.#clock.now() - this.#lastSyncMs;
    return { lastSyncAgeMs, lists: this.lists, watches: this.watches, events: 0, errors: { ...this.#errors } };
  }
}
