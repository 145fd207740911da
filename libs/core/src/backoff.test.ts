import assert from "node:assert/strict";
import { test } from "node:test";
import { createBackoff } from "./backoff.ts";
import { createRandom } from "./random.ts";

test("the bound doubles with each wait up to the maximum, and a reset restores the base", () => {
  const backoff = createBackoff({ baseMs: 200, maxMs: 1_000, random: () => 0.5 });
  const waits = () => Array.from({ length: 5 }, () => backoff.next());
  assert.deepEqual(waits(), [100, 200, 400, 500, 500]);
  backoff.reset();
  assert.deepEqual(waits(), [100, 200, 400, 500, 500]);
});

test("the jitter is full: waits spread evenly from 0 to the bound", () => {
  const random = createRandom(1);
  const waits = Array.from({ length: 10_000 }, () => createBackoff({ baseMs: 400, maxMs: 400, random }).next());
  const quarters = [0, 0, 0, 0];
  for (const wait of waits) quarters[Math.floor(wait / 100)] = (quarters[Math.floor(wait / 100)] ?? 0) + 1;
  assert.equal(quarters.length, 4, "no wait is longer than the bound");
  for (const count of quarters) assert.ok(Math.abs(count - 2_500) < 200, `want about 2500 in each, got ${quarters}`);
});
