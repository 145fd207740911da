import assert from "node:assert/strict";

/** Longer than the slowest machine needs: only a failing test waits this long. */
export const deadlineMs = 20_000;

/** Resolves after one turn of the event loop. */
export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/**
 * Resolves when `condition` holds. Checks it at once and then after each turn of the event loop.
 *
 * @param what the expectation, for the message of the failure
 * @throws AssertionError when the condition does not hold within 20 s
 */
export async function until(condition: () => boolean, what: string): Promise<void> {
  const endMs = performance.now() + deadlineMs;
  while (!condition()) {
    assert.ok(performance.now() < endMs, `${what}: not within ${deadlineMs} ms`);
    await turn();
  }
}
