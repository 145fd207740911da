import assert from "node:assert/strict";
import { test } from "node:test";
import { ManualClock } from "../testing/index.ts";
import { maxDurationMs } from "./duration.ts";
import { untilAborted } from "./until-aborted.ts";

test("it waits longer than the longest timer, until the abort", async () => {
  const clock = new ManualClock();
  const controller = new AbortController();
  let hasEnded = false;
  const ended = untilAborted(controller.signal, clock).then(() => {
    hasEnded = true;
  });
  for (let n = 0; n < 2; n++) {
    clock.advance(maxDurationMs);
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(hasEnded, false);
  }
  controller.abort();
  await ended;
});
