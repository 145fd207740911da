import assert from "node:assert/strict";
import { test } from "node:test";
import { chiSquare, chiSquareTail } from "./chi-square.ts";

function assertClose(got: number, want: number, tolerance: number, what: string) {
  assert.ok(Math.abs(got - want) <= tolerance * want, `${what}: want ${want} within ${tolerance}, got ${got}`);
}

/** NIST/SEMATECH e-Handbook of Statistical Methods 1.3.6.7.4, upper and lower critical values, three decimals. */
const published: readonly (readonly [degrees: number, tail: number, statistic: number])[] = [
  [1, 0.1, 2.706],
  [1, 0.05, 3.841],
  [1, 0.01, 6.635],
  [1, 0.001, 10.828],
  [2, 0.95, 0.103],
  [2, 0.05, 5.991],
  [2, 0.001, 13.816],
  [3, 0.05, 7.815],
  [3, 0.001, 16.266],
  [4, 0.05, 9.488],
  [4, 0.001, 18.467],
  [5, 0.05, 11.07],
  [9, 0.05, 16.919],
  [9, 0.001, 27.877],
  [10, 0.95, 3.94],
  [10, 0.05, 18.307],
  [30, 0.05, 43.773],
  [30, 0.001, 59.703],
  [99, 0.05, 123.225],
  [100, 0.99, 70.065],
  [100, 0.95, 77.929],
  [100, 0.05, 124.342],
  [100, 0.001, 149.449],
];

test("the tail agrees with the published critical values, up to 100 degrees", () => {
  for (const [degrees, want, statistic] of published) {
    assertClose(chiSquareTail(statistic, degrees), want, 0.002, `${statistic} at ${degrees}`);
  }
});

test("the tail is exact to ten digits where there is a closed form", () => {
  // Two degrees: e^(-x/2). One degree: erfc(√(x/2)), values of erfc from DLMF 7.23 and Wolfram Alpha.
  for (const x of [0.001, 1, 10, 100, 1_000]) assertClose(chiSquareTail(x, 2), Math.exp(-x / 2), 1e-10, `${x} at 2`);
  for (const [z, erfc] of [
    [0.5, 0.4795001221869535],
    [1, 0.15729920705028513],
    [2, 0.004677734981047266],
    [2.5, 4.069520174449589e-4],
    [3, 2.209049699858544e-5],
    [5, 1.5374597944280349e-12],
    [10, 2.088487583762545e-45],
  ] as const) {
    assertClose(chiSquareTail(2 * z * z, 1), erfc, 1e-10, `erfc(${z})`);
  }
});

test("the series and the continued fraction agree where one replaces the other", () => {
  assertClose(chiSquareTail(12.5 - 1e-9, 1), chiSquareTail(12.5 + 1e-9, 1), 1e-8, "at 12.5");
});

test("a statistic of 0 has probability 1, and a huge one has nearly 0", () => {
  for (const degrees of [1, 2, 3, 10, 99, 100]) {
    assert.equal(chiSquareTail(0, degrees), 1, `0 at ${degrees}`);
    const far = chiSquareTail(1e6, degrees);
    assert.ok(far >= 0 && far < 1e-300, `1e6 at ${degrees}: want nearly 0, got ${far}`);
  }
});

test("the tail falls as the statistic grows and never leaves [0, 1]", () => {
  for (const degrees of [1, 2, 7, 100]) {
    let last = 1;
    for (let statistic = 0.5; statistic < 300; statistic += 0.5) {
      const tail = chiSquareTail(statistic, degrees);
      // The last digit may vary where the tail is nearly 1.
      assert.ok(
        tail >= 0 && tail <= Math.min(1, last + 1e-14),
        `${statistic} at ${degrees}: want at most ${last}, got ${tail}`,
      );
      last = tail;
    }
  }
});

test("degrees that are not a whole number >= 1, and a negative statistic, are errors", () => {
  for (const degrees of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
    const message = `degrees must be a whole number >= 1, got ${degrees}`;
    assert.throws(() => chiSquareTail(1, degrees), { name: "RangeError", message });
  }
  for (const statistic of [-0.1, Number.NaN]) {
    const message = `statistic must be >= 0, got ${statistic}`;
    assert.throws(() => chiSquareTail(statistic, 1), { name: "RangeError", message });
  }
});

test("the statistic sums squared deviations, each divided by its expectation", () => {
  assert.equal(chiSquare([10, 20, 30], [20, 20, 20]), 10);
  assert.equal(chiSquare([12, 8], [15, 5]), 9 / 15 + 9 / 5);
  assert.equal(chiSquare([7, 7], [7, 7]), 0);
});
