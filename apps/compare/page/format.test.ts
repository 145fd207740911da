import assert from "node:assert/strict";
import { test } from "node:test";
import { formatMs, formatShare, formatTime } from "./format.ts";

test("times and shares are short", () => {
  assert.deepEqual([null, 0.84, 12.4, 999, 1_234].map(formatMs), ["–", "0.8 ms", "12 ms", "999 ms", "1.2 s"]);
  assert.deepEqual([0, 59_999, 60_000, 3_600_000].map(formatTime), ["0:00", "0:59", "1:00", "60:00"]);
  assert.equal(formatShare(1 / 3), "33 %");
});
