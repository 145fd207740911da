import assert from "node:assert/strict";

/** Longer than the slowest machine needs: only a failing test waits this long. */
export const deadlineMs = 20_000;

/** Resolves after one turn of the event loop. */
export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

// Taken here, because a test may replace the timers.
const { setTimeout } = globalThis;

/** So many turns of the event loop follow each other; a condition that needs more waits for a peer, a process or the time. */
const promptTurns = 100;

/**
 * Resolves when `condition` holds. Checks it at once, after each of the next 100 turns of the event loop, and then every
 * millisecond: to wait costs no processor time, which the other side of the wait needs.
 *
 * @param what the expectation, for the message of the failure
 * @throws AssertionError when the condition does not hold within 20 s
 */
export async function until(condition: () => boolean, what: string): Promise<void> {
  const endMs = performance.now() + deadlineMs;
  for (let turns = 0; !condition(); turns++) {
    assert.ok(performance.now() < endMs, `${what}: not within ${deadlineMs} ms`);
    if (turns < promptTurns) await turn();
    else await new Promise((resolve) => setTimeout(resolve, 1));
  }
}
