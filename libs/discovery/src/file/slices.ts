/** How long a piece of work may hold the event loop before others have their turn, in milliseconds. */
const sliceMs = 10;

/** Resolves after a turn of the event loop. */
export const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/**
 * Does a piece of work, of any length, in slices of about 10 ms between which the event loop has its turn.
 *
 * @param work yields wherever it may be interrupted: often, as a yield costs less than a microsecond
 * @returns what the work returns; throws what it throws
 */
export async function inSlices<T>(work: Generator<void, T>): Promise<T> {
  let dueMs = performance.now() + sliceMs;
  for (;;) {
    const step = work.next();
    if (step.done) return step.value;
    if (performance.now() < dueMs) continue;
    await turn();
    dueMs = performance.now() + sliceMs;
  }
}
