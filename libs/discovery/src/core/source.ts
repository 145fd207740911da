import {
  type Clock,
  type Context,
  checkOptions,
  completeContext,
  describeType,
  messageOf,
  type OptionRules,
  type Random,
} from "@grpc-lb/core";
import { DiscoveryError } from "./discovery-error.ts";
import { runWithRestarts } from "./run-with-restarts.ts";
import { identify, SharedRuns } from "./shared-runs.ts";
import type { Snapshot } from "./snapshot.ts";
import { type SnapshotListener, SnapshotStore } from "./snapshot-store.ts";
import type { SourceStats } from "./source-stats.ts";
import { watchSnapshots } from "./watch-snapshots.ts";

/** Where endpoints come from. */
export interface Source {
  /** See `Snapshot.subject`; it may be less precise until the source runs. */
  readonly subject: string;
  /** The target that it was made of, as the user wrote it; undefined for a source that was made in another way. */
  readonly target?: string | undefined;
  /** Counters for metrics. All are zero before the source starts; they stay readable after it has ended. */
  readonly stats: SourceStats;
  /**
   * Starts the source if it is not running. Calls `listener` at once with the latest snapshot, if there is one, and then with
   * each newer snapshot. A snapshot also carries the source's error. An exception of the listener becomes a process warning.
   *
   * @throws TypeError unless it is a function
   */
  subscribe(listener: SnapshotListener): Subscription;
  /**
   * Subscribes with an async iterator, until `signal` is aborted. The first snapshot arrives as soon as endpoints or an error are
   * known. Each snapshot is complete and replaces the one before. A slow reader misses intermediate snapshots, never the last.
   * When the iteration ends, by the signal or by `break`, no socket or timer is left, unless the source has other subscribers.
   *
   * @throws TypeError unless it is an AbortSignal
   */
  watch(signal?: AbortSignal): AsyncIterableIterator<Snapshot>;
}

/** Returned by `Source.subscribe`. */
export interface Subscription {
  /**
   * Stops the calls of the listener. The last subscription to close also ends the source; its promise resolves when the source
   * has ended. May be called twice.
   */
  close(): Promise<void>;
}

/** Describes a source for `defineSource`. */
export interface SourceDefinition {
  /** See `Source.subject`. */
  readonly subject: string;
  /** See `Source.target`. Default: none. */
  readonly target?: string | undefined;
  /**
   * Sources with the same key in a process share one run. The key must contain every option that affects what the run publishes;
   * other options, such as deadlines, are those of the source that started it.
   */
  readonly key: string;
  /**
   * Whether the process may exit while an iterator of `watch` waits. For readers whose other work, such as pending calls, keeps
   * the process alive. A subscription never keeps the process alive. Default: false.
   */
  readonly background?: boolean | undefined;
  /**
   * Discovers endpoints and pushes them into `store` until `signal` is aborted. It may return earlier if nothing can change any
   * more. All its resources are released when its promise settles. If it throws, the error is published, and `start` is called
   * again after a backoff.
   */
  start(store: SnapshotStore, signal: AbortSignal): Promise<void>;
}

/** The definition of a source that takes time and chance from its context. */
export interface SourceDefinitionIn extends Omit<SourceDefinition, "start"> {
  /** As `SourceDefinition.start`. */
  start(
    store: SnapshotStore,
    signal: AbortSignal,
    context: { readonly clock: Clock; readonly random: Random },
  ): Promise<void>;
}

const definitionRules: OptionRules = {
  subject: "string",
  key: "string",
  target: "string",
  background: "boolean",
  start: "function",
};

const running = new SharedRuns<SnapshotStore>();

/**
 * Creates a source from a definition. All sources with the same key share one run, which starts with the first subscription and
 * ends with the last. A later subscription starts a new run, without the old snapshot.
 *
 * @throws TypeError for a definition that lacks something, or has something of another type or name
 */
export function defineSource(definition: SourceDefinition): Source {
  checkOptions("defineSource", definition, definitionRules, ["subject", "key", "start"]);
  return defineSourceIn(definition, {});
}

/** The same in any context. Sources share a run only if they have the same clock. */
export function defineSourceIn(definition: SourceDefinitionIn, context: Context): Source {
  const { subject, target, background = false } = definition;
  const { clock, random } = completeContext(context);
  const key = `${identify(clock)} ${definition.key}`;
  let store = new SnapshotStore(subject, clock);

  const subscribe = (listener: SnapshotListener): Subscription => {
    if (typeof listener !== "function") {
      throw new TypeError(`${subject}: the listener of subscribe must be a function, got ${describeType(listener)}`);
    }
    const lease = running.acquire(
      key,
      () => new SnapshotStore(subject, clock),
      (value, signal) => keepRunning(definition, value, signal, { clock, random }),
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
    target,
    get stats() {
      return store.stats;
    },
    subscribe,
    watch(signal) {
      // Not by its class: a test environment may have another one.
      if (signal !== undefined && typeof signal?.addEventListener !== "function") {
        throw new TypeError(`${subject}: the signal of watch must be an AbortSignal, got ${describeType(signal)}`);
      }
      return watchSnapshots(subscribe, signal, background);
    },
  };
}

/** Calls `start`, and again whenever it throws, until `signal` is aborted. Publishes the errors. */
function keepRunning(
  definition: SourceDefinitionIn,
  store: SnapshotStore,
  signal: AbortSignal,
  context: { readonly clock: Clock; readonly random: Random },
): Promise<void> {
  return runWithRestarts(
    {
      async attempt(onHealthy) {
        const { latest: before } = store;
        // The first sync of an attempt shows that it is healthy.
        const unsubscribe = store.subscribe(({ lastSyncMs }) => {
          if (lastSyncMs === before?.lastSyncMs) return;
          onHealthy();
          unsubscribe();
        });
        try {
          await definition.start(store, signal, context);
          await untilAborted(signal);
        } finally {
          unsubscribe();
        }
      },
      onFailure(cause) {
        const error =
          cause instanceof DiscoveryError
            ? cause
            : new DiscoveryError(isMisuse(cause) ? "invalid" : "unavailable", `${store.subject}: ${messageOf(cause)}`, {
                cause,
              });
        store.fail(error);
        return error;
      },
      ...context,
    },
    signal,
  );
}

/** Whether the options are at fault, not the server. A TypeError of `fetch` has the error of the connection as its cause. */
function isMisuse(cause: unknown): boolean {
  return cause instanceof RangeError || (cause instanceof TypeError && cause.cause === undefined);
}

/** Resolves when `signal` is aborted. */
export function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
