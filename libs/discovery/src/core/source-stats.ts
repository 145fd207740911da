import type { DiscoveryErrorCode } from "./discovery-error.ts";

/** What a source has done and seen, also after its end. */
export interface SourceStats {
  /** Since its server last said anything, in milliseconds; undefined for never. */
  readonly lastSyncAgeMs: number | undefined;
  /** Whole sets that were asked for. */
  readonly lists: number;
  /** Watches, long polls or the like that were begun. */
  readonly watches: number;
  /** Failures, by kind. */
  readonly errors: Readonly<Record<DiscoveryErrorCode, number>>;
}
