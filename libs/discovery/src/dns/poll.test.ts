import assert from "node:assert/strict";
import { test } from "node:test";
import { chooseInterval } from "./poll.ts";

for (const [ttlMs, refreshMs, least, most] of [
  [0, 30_000, 1_000, 1_100],
  [1_000, 30_000, 1_000, 1_100],
  [5_000, 30_000, 5_000, 5_500],
  [29_000, 30_000, 29_000, 30_000],
  [30_000, 30_000, 27_000, 30_000],
  [Number.POSITIVE_INFINITY, 30_000, 27_000, 30_000],
  [0, 1_000, 1_000, 1_000],
  [60_000, 1_000, 1_000, 1_000],
] as const) {
  test(`a TTL of ${ttlMs} ms is followed in ${least} to ${most} ms when the refresh is ${refreshMs} ms`, () => {
    const at = (draw: number) => chooseInterval(ttlMs, refreshMs, () => draw);
    const ends = [at(0), at(0.999_999)].sort((a, b) => a - b).map(Math.round);
    assert.deepEqual(ends, [least, most]);
  });
}
