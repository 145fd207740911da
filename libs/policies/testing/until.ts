import assert from "node:assert/strict";

/** Long enough for any machine: no test waits so long unless it fails. */
const deadlineMs = 20_000;

/** Resolves after a turn of the event loop. */
export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Resolves when it is so; looks after each turn of the event loop, and fails when it never comes. */
export async function until(isSo: () => boolean, what: string): Promise<void> {
  const endMs = performance.now() + deadlineMs;
  while (!isSo()) {
    assert.ok(performance.now() < endMs, `${what}: in vain for ${deadlineMs} ms`);
    await turn();
  }
}
