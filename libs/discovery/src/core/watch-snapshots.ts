import { maxDurationMs } from "@grpc-lb/core";
import type { Snapshot } from "./snapshot.ts";
import type { SnapshotListener } from "./snapshot-store.ts";
import type { Subscription } from "./source.ts";

/** Keeps the process alive until the returned function is called: the sockets and timers of a source do not. */
export function keepProcessAlive(): () => void {
  const timer = setInterval(() => {}, maxDurationMs);
  return () => clearInterval(timer);
}

/**
 * Snapshots as an async iterator. A reader gets what is known and then each newer snapshot; when it is slow, those between are
 * left out. `return` ends it at once, also while a `next` waits, which a generator alone would not do.
 *
 * @param signal ends the iteration
 * @param background whether it does not keep the process alive
 */
export function watchSnapshots(
  subscribe: (listener: SnapshotListener) => Subscription,
  signal: AbortSignal | undefined,
  background: boolean,
): AsyncIterableIterator<Snapshot> {
  let newest: Snapshot | undefined;
  let isEnded = false;
  let wake = () => {};
  const end = () => {
    isEnded = true;
    wake();
  };

  /** Subscribes with the first `next`: a generator that was never started would never run its `finally`. */
  async function* read(): AsyncGenerator<Snapshot, void, void> {
    if (isEnded || signal?.aborted) return;
    signal?.addEventListener("abort", end);
    const letGo = background ? () => {} : keepProcessAlive();
    const subscription = subscribe((snapshot) => {
      newest = snapshot;
      wake();
    });
    try {
      while (!isEnded) {
        const snapshot = newest;
        newest = undefined;
        if (snapshot) yield snapshot;
        else await new Promise<void>((resolve) => (wake = resolve));
      }
    } finally {
      letGo();
      signal?.removeEventListener("abort", end);
      await subscription.close();
    }
  }

  const snapshots = read();
  return {
    next: () => snapshots.next(),
    return() {
      end();
      return snapshots.return();
    },
    throw(error) {
      end();
      return snapshots.throw(error);
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
