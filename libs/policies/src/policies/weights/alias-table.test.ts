import assert from "node:assert/strict";
import { test } from "node:test";
import { createRandom } from "@grpc-lb/core";
import { chiSquare, chiSquareTail } from "@grpc-lb/verdict";
import { AliasTable } from "./alias-table.ts";

function count(weights: readonly number[], picks: number, seed: number): number[] {
  const table = new AliasTable(weights);
  const random = createRandom(seed);
  const counts = new Array<number>(weights.length).fill(0);
  for (let i = 0; i < picks; i++) {
    const member = table.pick(random());
    counts[member] = (counts[member] ?? 0) + 1;
  }
  return counts;
}

test("members are picked in proportion to their weights, for several seeds", () => {
  const picks = 100_000;
  for (const weights of [
    [1, 1, 1],
    [1, 2, 3, 4],
    [0.001, 0.002, 0.003],
    [100, 1, 1, 1, 1],
    Array.from({ length: 200 }, (_, i) => 1 + (i % 7)),
  ]) {
    const total = weights.reduce((a, b) => a + b);
    for (const seed of [1, 2, 2026]) {
      const counts = count(weights, picks, seed);
      const expected = weights.map((weight) => (picks * weight) / total);
      const p = chiSquareTail(chiSquare(counts, expected), weights.length - 1);
      assert.ok(p > 0.001, `seed ${seed}, weights ${weights.slice(0, 5)}: want p > 0.001, got ${p} for ${counts}`);
    }
  }
});

test("of [0, 1) each member has exactly its share", () => {
  const weights = [5, 0, 1, 2.5, 0.25, 1.25];
  const table = new AliasTable(weights);
  const counts = new Array<number>(weights.length).fill(0);
  for (let i = 0; i < 60_000; i++) {
    const member = table.pick((i + 0.5) / 60_000);
    counts[member] = (counts[member] ?? 0) + 1;
  }
  for (const [i, weight] of weights.entries()) {
    const [got, want] = [counts[i] ?? 0, weight * 6_000];
    assert.ok(Math.abs(got - want) <= weights.length, `member ${i}: want ${want}, got ${got}`);
  }
});

test("a member of weight 0 is never picked, for any weights of the others", () => {
  const random = createRandom(5);
  for (let round = 0; round < 300; round++) {
    const length = 1 + Math.floor(random() * 40);
    const weights = Array.from<unknown, number>({ length }, () => (random() < 0.4 ? 0 : 10 ** (40 * random() - 20)));
    if (!weights.some((weight) => weight > 0)) weights[0] = 1;
    const table = new AliasTable(weights);
    for (let i = 0; i <= 1_000; i++) {
      const member = table.pick(Math.min(i / 1_000, 1 - 2 ** -53));
      assert.ok((weights[member] ?? 0) > 0, `want a member of weight > 0, got ${member} of ${weights}`);
    }
  }
});

test("the greatest number below 1 gives a valid member, for every length", () => {
  for (let length = 1; length <= 1_100; length++) {
    const member = new AliasTable(new Float64Array(length).fill(1)).pick(1 - 2 ** -53);
    assert.equal(member, length - 1);
  }
});

test("invalid weights are refused, and the error names the first one", () => {
  for (const [weights, message] of [
    [[], "one of 0 weights must be > 0, got none"],
    [[0, 0], "one of 2 weights must be > 0, got none"],
    [[1, -1, Number.NaN], "weights[1] must be a finite number >= 0, got -1"],
    [[1, 2, Number.NaN], "weights[2] must be a finite number >= 0, got NaN"],
    [[Infinity], "weights[0] must be a finite number >= 0, got Infinity"],
    [[1e308, 1e308], "weights must have a finite sum, got Infinity"],
  ] as const) {
    assert.throws(() => new AliasTable(weights), { name: "RangeError", message });
  }
});
