import assert from "node:assert/strict";
import { test } from "node:test";
import { toIntegers } from "./weights.ts";

const maxSum = 2 ** 32 - 1;

for (const [what, weights, expected] of [
  ["integers stay", [1, 3, 100_001], [1, 3, 100_001]],
  ["integers with the greatest sum stay", [maxSum - 1, 1], [maxSum - 1, 1]],
  ["a sum of 2^32 is scaled", [2 ** 31, 2 ** 31], [1_000, 1_000]],
  ["fractions are scaled, to 1 at least", [0.5, 0.25, 1e-9], [1_000, 500, 1]],
  ["no weights are none", [], []],
] as const) {
  test(what, () => assert.deepEqual(toIntegers(weights), expected));
}

test("many integers, each of which is small enough, are scaled when their sum is not", () => {
  const many = toIntegers(Array(50_000).fill(100_000));
  assert.ok(many.reduce((total, weight) => total + weight, 0) <= maxSum);
  assert.deepEqual(new Set(many), new Set([1_000]));
});
