import type { TestContext } from "node:test";

const startedMs = performance.now();

/** Prints progress on stderr, with the seconds since the start: a run takes minutes, and silence looks like a hang. */
export function progress(text: string): void {
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(0).padStart(4);
  process.stderr.write(`${seconds}s  ${text}\n`);
}

/** Reports a measured fact of a step, as progress and in the test report. */
export function report(t: TestContext, text: string): void {
  progress(`   ${text}`);
  t.diagnostic(text);
}
