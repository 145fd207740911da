import { resolve } from "node:path";
import { type Clock, systemClock } from "@grpc-lb/core";
import { endable, maxTimerMs } from "../core/endable.ts";
import { LastGood } from "../core/last-good.ts";
import { SharedWatch } from "../core/shared-watch.ts";
import type { Source } from "../core/snapshot.ts";
import { SourceCounts } from "../core/source-counts.ts";
import type { SourceStats } from "../core/source-stats.ts";
import { FileWatch } from "./file-watch.ts";

/** Which file, and how it is looked at. */
export interface FileSourceOptions {
  /** A relative one is of the directory that the process is in now. */
  readonly path: string;
  /** How often the file is looked at where the system tells of no change, in milliseconds; at least 100. Default: 5 s. */
  readonly pollMs?: number;
  /** How long a changed file must stay the same to be read, in milliseconds; at least 1. Default: 50 ms. */
  readonly debounceMs?: number;
  /** Whether a watch that is read does not keep the process alive by itself. Default: false. */
  readonly background?: boolean;
  readonly clock?: Clock;
}

/** A source of the endpoints that stand in a file. */
export interface FileSource extends Source {
  /** `lists`: how often the file was read; `watches`: how often its directory began to be watched. */
  readonly stats: SourceStats;
}

/**
 * A source of the endpoints that stand in a file, JSON or YAML: a list of `{ address, weight?, zone?, metadata? }`, or
 * `{ endpoints, serviceConfig? }`. The file may be written anew, replaced by rename, or swapped as Kubernetes does with those
 * of a ConfigMap. A file that is broken, half-written or gone leaves the last good endpoints and an error beside them that names
 * file, line and field; with the next good one the error goes. An empty list is an empty set.
 *
 * All readers of this source share one watch; with the last one, watcher and timers are gone.
 *
 * @throws RangeError for an option that cannot be
 */
export function createFileSource(options: FileSourceOptions): FileSource {
  const { pollMs = 5_000, debounceMs = 50, background = false, clock = systemClock } = options;
  if (options.path === "") throw new RangeError("path must name a file, got an empty one");
  const bounds = { pollMs: [pollMs, 100], debounceMs: [debounceMs, 1] } as const;
  for (const [name, [value, least]] of Object.entries(bounds)) {
    if (!(value >= least && value <= maxTimerMs)) {
      throw new RangeError(`${name} must be from ${least} to ${maxTimerMs}, got ${value}`);
    }
  }
  const path = resolve(options.path);
  const subject = `file ${path}`;
  const counts = new SourceCounts(clock);
  const shared = new SharedWatch((latest, signal) =>
    new FileWatch({ path, pollMs, debounceMs, clock, counts }, new LastGood(subject, latest)).run(signal),
  );
  return {
    subject,
    watch: (signal) => endable((ending) => shared.read(ending), signal, background),
    get stats() {
      return counts.stats;
    },
  };
}
