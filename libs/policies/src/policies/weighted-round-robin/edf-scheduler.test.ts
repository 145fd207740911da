import assert from "node:assert/strict";
import { test } from "node:test";
import { createRandom } from "@grpc-lb/core";
import { EdfScheduler } from "./edf-scheduler.ts";

const sum = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0);

function take(scheduler: EdfScheduler, picks: number): number[] {
  return Array.from({ length: picks }, () => scheduler.next());
}

function countOf(picks: readonly number[], members: number): number[] {
  const counts = new Array<number>(members).fill(0);
  for (const member of picks) counts[member] = (counts[member] ?? 0) + 1;
  return counts;
}

test("equal members take turns in one order, which depends on the seed", () => {
  const picks = take(new EdfScheduler([1, 1, 1, 1], createRandom(3)), 40);
  assert.deepEqual(picks.slice(0, 4).toSorted(), [0, 1, 2, 3]);
  for (const [i, member] of picks.entries()) assert.equal(member, picks[i % 4], `pick ${i}`);
  const first = new Set(
    [1, 2, 3, 4, 5, 6, 7, 8].map((seed) => new EdfScheduler([1, 1, 1, 1], createRandom(seed)).next()),
  );
  assert.ok(first.size > 1, "clients with different seeds start with different members");
});

test("members that are due at the same time go in the order of the list", () => {
  assert.deepEqual(take(new EdfScheduler([1, 2, 1], () => 0), 8), [0, 1, 2, 1, 0, 1, 2, 1]);
});

test("members of great weight are spread out, not picked in a row", () => {
  const picks = take(new EdfScheduler([5, 1, 1], createRandom(1)), 70);
  for (let i = 0; i + 7 <= picks.length; i++) {
    const twos = countOf(picks.slice(i, i + 7), 3);
    assert.deepEqual(twos, [5, 1, 1], `picks ${i} to ${i + 6}`);
  }
});

test("with integer weights, each window of a multiple of their sum is exact to within 1", () => {
  const random = createRandom(11);
  for (let round = 0; round < 60; round++) {
    const weights = Array.from({ length: 1 + Math.floor(random() * 30) }, () => Math.floor(random() * 12));
    if (sum(weights) === 0) weights[0] = 1;
    const total = sum(weights);
    const scheduler = new EdfScheduler(weights, random);
    take(scheduler, Math.floor(random() * 1_000));
    for (const times of [1, 2, 7]) {
      const counts = countOf(take(scheduler, times * total), weights.length);
      for (const [i, weight] of weights.entries()) {
        const [got, want] = [counts[i] ?? 0, times * weight];
        assert.ok(Math.abs(got - want) <= 1, `member ${i} of ${weights}, ${times} rounds: want ${want}, got ${got}`);
      }
    }
  }
});

test("over any window a member's count differs from its share by less than 1 + weight / mean weight", () => {
  const random = createRandom(12);
  for (let round = 0; round < 40; round++) {
    const weights = Array.from({ length: 2 + Math.floor(random() * 50) }, () => 10 ** (4 * random() - 2));
    const total = sum(weights);
    const picks = take(new EdfScheduler(weights, random), 4_000);
    for (let window = 0; window < 50; window++) {
      const from = Math.floor(random() * picks.length);
      const to = from + Math.floor(random() * (picks.length - from));
      const counts = countOf(picks.slice(from, to), weights.length);
      for (const [i, weight] of weights.entries()) {
        const want = ((to - from) * weight) / total;
        const bound = 1 + (weight * weights.length) / total;
        const got = counts[i] ?? 0;
        assert.ok(Math.abs(got - want) < bound, `member ${i}, ${from} to ${to}: want ${want} ± ${bound}, got ${got}`);
      }
    }
  }
});

test("the shares stay exact over many rebases", () => {
  const weights = [3, 0.7, 1.9, 0.4];
  const scheduler = new EdfScheduler(weights, createRandom(4));
  const counts = new Array<number>(4).fill(0);
  for (let i = 0; i < 3_000_000; i++) {
    const member = scheduler.next();
    counts[member] = (counts[member] ?? 0) + 1;
  }
  for (const [i, weight] of weights.entries()) {
    const want = (3_000_000 * weight) / sum(weights);
    const got = counts[i] ?? 0;
    assert.ok(Math.abs(got - want) < 3, `member ${i}: want ${want}, got ${got}`);
  }
});

test("the shares stay exact when deadlines exceed the precision of fractions", () => {
  const weights = [3, 0.7, 1.9, 0.4];
  const old = [...weights];
  // All are due at pick 2^52, as after so many picks without a rebase: there the next number is 1 greater.
  const scheduler = new EdfScheduler(weights, () => (2 ** 52 * (old.shift() ?? 0)) / sum(weights));
  const counts = countOf(take(scheduler, 60_000), 4);
  for (const [i, weight] of weights.entries()) {
    const [got, want] = [counts[i] ?? 0, (60_000 * weight) / sum(weights)];
    assert.ok(Math.abs(got - want) < 3, `member ${i}: want ${want}, got ${got}`);
  }
});

test("a member of weight 0 is never picked, and weights that are all 0 are refused", () => {
  const picks = take(new EdfScheduler([0, 1, 0, 3, 0], createRandom(9)), 4_000);
  assert.deepEqual(countOf(picks, 5), [0, 1_000, 0, 3_000, 0]);
  assert.deepEqual(
    take(new EdfScheduler([1, 5e-324], () => 0), 3),
    [0, 0, 0],
    "a member whose turn never comes is not picked",
  );
  for (const weights of [[], [0], [0, 0]])
    assert.throws(() => new EdfScheduler(weights, createRandom(1)), { name: "RangeError" });
  assert.throws(() => new EdfScheduler([1, -2], createRandom(1)), { name: "RangeError", message: /weights\[1\]/ });
});
