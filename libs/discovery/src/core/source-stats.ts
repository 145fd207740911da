import type { DiscoveryErrorCode } from "./discovery-error.ts";

/** What a source has done and seen, also after its end. */
export interface SourceStats {
  /** Since the server was last heard, in milliseconds; undefined for never. */
  readonly lastSyncAgeMs: number | undefined;
  /** Requests for the whole set. */
  readonly lists: number;
  /** Watches, long polls or the like that were begun; one more for each restart. */
  readonly watches: number;
  /** Changes that the server has reported. */
  readonly events: number;
  /** Failures by code: each failed exchange, and each problem of the service once a change. */
  readonly errors: Readonly<Record<DiscoveryErrorCode, number>>;
}
