import assert from "node:assert/strict";
import { test } from "node:test";
import { createRandom } from "./random.ts";

const chiSquare = (counts: readonly number[], expected: number) =>
  counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);

const take = (seed: number, count: number) => {
  const random = createRandom(seed);
  return Array.from({ length: count }, () => random());
};

test("a seed gives the numbers of mulberry32, the same on every machine", () => {
  assert.deepEqual(
    take(1, 4).map((number) => number * 2 ** 32),
    [2_693_262_067, 11_749_833, 2_265_367_787, 4_213_581_821],
  );
  assert.deepEqual(
    take(4_294_967_295, 2).map((number) => number * 2 ** 32),
    [3_850_105_811, 813_802_916],
  );
});

test("the same seed gives the same numbers, another seed gives others", () => {
  assert.deepEqual(take(42, 100), take(42, 100));
  assert.notDeepEqual(take(42, 3), take(43, 3));
  assert.deepEqual(take(-1, 3), take(2 ** 32 - 1, 3), "a seed counts modulo 2^32");
});

test("two sources of one seed are independent", () => {
  const [a, b] = [createRandom(7), createRandom(7)];
  const mixed = [a(), b(), a(), b()];
  const [first, second] = take(7, 2);
  assert.deepEqual(mixed, [first, first, second, second]);
});

test("numbers are in [0, 1) and spread evenly, for several seeds", () => {
  for (const seed of [0, 1, 2026, 0xdead_beef]) {
    const counts = new Array<number>(100).fill(0);
    for (const number of take(seed, 50_000)) {
      assert.ok(number >= 0 && number < 1, `seed ${seed}: want a number in [0, 1), got ${number}`);
      counts[Math.floor(number * 100)] = (counts[Math.floor(number * 100)] ?? 0) + 1;
    }
    // The 0.1 % and 99.9 % quantiles of chi-square with 99 degrees of freedom: too even is as suspicious as too uneven.
    const distance = chiSquare(counts, 500);
    assert.ok(distance > 60.0 && distance < 148.2, `seed ${seed}: want chi-square from 60.0 to 148.2, got ${distance}`);
  }
});

test("pairs of successive numbers spread evenly", () => {
  const numbers = take(11, 40_001);
  const counts = new Array<number>(16).fill(0);
  for (let i = 0; i < 40_000; i++) {
    const pair = Math.floor((numbers[i] ?? 0) * 4) * 4 + Math.floor((numbers[i + 1] ?? 0) * 4);
    counts[pair] = (counts[pair] ?? 0) + 1;
  }
  // The 99.9 % quantile with 15 degrees of freedom.
  const distance = chiSquare(counts, 2_500);
  assert.ok(distance < 37.7, `want pairs spread evenly, got chi-square ${distance} for ${counts}`);
});
