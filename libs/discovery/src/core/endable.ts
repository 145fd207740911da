import type { Snapshot } from "./snapshot.ts";

/** A longer timer of Node would end after a millisecond. */
export const maxTimerMs = 2 ** 31 - 1;

/**
 * Keeps the process alive until the returned function is called: the sockets and timers of a watch do not, because its other
 * readers may not want it to. So it depends on each reader alone, whoever it shares the watch with, and in every state of it.
 */
export function holdProcess(): () => void {
  const timer = setInterval(() => {}, maxTimerMs);
  return () => clearInterval(timer);
}

/**
 * An iterator whose `return` ends it at once, for `Source.watch`. That of a generator alone would wait for the value which a
 * `next` is waiting for, and a quiet service may have none for hours.
 *
 * @param read gives snapshots until its signal is aborted, and then leaves nothing
 * @param signal of the reader
 * @param background whether the watch does not keep the process alive by itself
 */
export function endable(
  read: (signal: AbortSignal) => AsyncGenerator<Snapshot, void, void>,
  signal: AbortSignal | undefined,
  background: boolean,
): AsyncIterableIterator<Snapshot> {
  const ending = new AbortController();
  const end = () => ending.abort(signal?.reason);
  const run = async function* () {
    // Listened to from the first `next` on, as an iterator that was never begun would never be cleaned up.
    if (signal?.aborted) end();
    signal?.addEventListener("abort", end);
    const letGo = background ? () => {} : holdProcess();
    try {
      yield* read(ending.signal);
    } finally {
      letGo();
      signal?.removeEventListener("abort", end);
    }
  };
  const snapshots = run();
  return {
    next: () => snapshots.next(),
    return: () => {
      end();
      return snapshots.return();
    },
    throw: (error) => {
      end();
      return snapshots.throw(error);
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
