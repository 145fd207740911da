import { type Clock, messageOf, type Random, systemClock } from "@grpc-lb/core";
import { DiscoveryError } from "./discovery-error.ts";
import { runWithRestarts } from "./run-with-restarts.ts";
import { identify, SharedRuns } from "./shared-runs.ts";
import type { Snapshot } from "./snapshot.ts";
import { type SnapshotListener, SnapshotStore } from "./snapshot-store.ts";
import type { SourceStats } from "./source-stats.ts";
import { watchSnapshots } from "./watch-snapshots.ts";

/** Where endpoints come from. */
export interface Source {
  /** As in `Snapshot`, as far as it is known before the source runs. */
  readonly subject: string;
  /** What the source has done and seen, for metrics; also after its end. All zero before its start. */
  readonly stats: SourceStats;
  /**
   * Starts the source unless it runs, and calls `listener` with what is known at once and with each newer snapshot. Errors
   * come in snapshots. An exception of the listener becomes a process warning.
   */
  subscribe(listener: SnapshotListener): Subscription;
  /**
   * The same as an async iterator, until `signal` is aborted: the first snapshot comes as soon as something is known, an error
   * included; each one replaces the one before. A slow reader misses intermediate snapshots, never the last. When the iteration
   * has ended, by the signal or by `break`, no socket or timer is left, unless others use the source.
   */
  watch(signal?: AbortSignal): AsyncIterableIterator<Snapshot>;
}

/** A listener of a source. */
export interface Subscription {
  /**
   * After it the listener is not called. Resolves when nothing is left: if it was the last subscription, the source has ended.
   * May be called twice.
   */
  close(): Promise<void>;
}

/** What a source is and does. */
export interface SourceDefinition {
  /** As in `Source`. */
  readonly subject: string;
  /** Sources of the same key (and clock) in a process share one run. It must contain all that makes two runs different. */
  readonly key: string;
  /**
   * Whether an iterator of `watch` does not keep the process alive by itself: for those whose pending work does, and whose
   * process may end when there is none. A subscription never does. Default: false.
   */
  readonly background?: boolean | undefined;
  readonly clock?: Clock | undefined;
  readonly random?: Random | undefined;
  /**
   * Pushes what it learns into `store` until `signal` is aborted; when it has settled, nothing of it is left. It may return
   * before, when nothing can change any more. What it throws is published as an error, and it is started again with backoff.
   */
  start(store: SnapshotStore, signal: AbortSignal): Promise<void>;
}

const running = new SharedRuns<SnapshotStore>();

/**
 * Makes a source of a definition. All sources of the same key share one run, which begins with the first subscription and ends
 * with the last. A later subscription starts a new run without the old snapshot.
 */
export function defineSource(definition: SourceDefinition): Source {
  const { subject, background = false, clock = systemClock } = definition;
  const key = `${identify(clock)} ${definition.key}`;
  let store = new SnapshotStore(subject, clock);

  const subscribe = (listener: SnapshotListener): Subscription => {
    const lease = running.acquire(
      key,
      () => new SnapshotStore(subject, clock),
      (value, signal) => keepRunning(definition, value, signal),
    );
    store = lease.value;
    const unsubscribe = store.subscribe(listener);
    return {
      close() {
        unsubscribe();
        return lease.release();
      },
    };
  };
  return {
    subject,
    get stats() {
      return store.stats;
    },
    subscribe,
    watch: (signal) => watchSnapshots(subscribe, signal, background),
  };
}

/** The one owner of what `start` throws. */
function keepRunning(definition: SourceDefinition, store: SnapshotStore, signal: AbortSignal): Promise<void> {
  const { clock = systemClock, random = Math.random } = definition;
  return runWithRestarts(
    {
      async attempt(onHealthy) {
        const { latest: before } = store;
        // Until the first sync of this attempt, and not with each snapshot.
        const unsubscribe = store.subscribe(({ lastSyncMs }) => {
          if (lastSyncMs === before?.lastSyncMs) return;
          onHealthy();
          unsubscribe();
        });
        try {
          await definition.start(store, signal);
          await untilAborted(signal);
        } finally {
          unsubscribe();
        }
      },
      onFailure(cause) {
        const error =
          cause instanceof DiscoveryError
            ? cause
            : new DiscoveryError("unavailable", `${store.subject}: ${messageOf(cause)}`, { cause });
        store.fail(error);
        return error;
      },
      clock,
      random,
    },
    signal,
  );
}

/** Resolves when `signal` is aborted. */
export function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
