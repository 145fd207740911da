import assert from "node:assert/strict";
import { test } from "node:test";
import { createRandom } from "@grpc-lb/core";
import { type BalanceRule, judge } from "./judge.ts";

const rules: readonly BalanceRule[] = ["round_robin", "random"];
const pods = ["a", "b", "c"];

/** Calls with these counts for a, b, c, …; judging does not depend on their order. */
const calls = (...counts: number[]) => counts.flatMap((count, i) => new Array<string>(count).fill(pods[i] ?? "?"));

test("one pod that has every call is PINNED by both rules, even a single call", () => {
  for (const rule of rules) {
    for (const counts of [
      [0, 30, 0],
      [0, 0, 1],
    ]) {
      const verdict = judge(calls(...counts), pods, rule);
      assert.deepEqual([verdict.word, verdict.effectiveBackends], ["PINNED", 1], `${rule} ${counts}`);
    }
  }
});

test("round_robin is BALANCED when counts differ by at most one, whatever chance would make of them", () => {
  for (const [counts, want] of [
    [[10, 10, 10], "BALANCED"],
    [[11, 10, 10], "BALANCED"],
    [[11, 11, 10], "BALANCED"],
    [[12, 10, 11], "SKEWED"],
    [[1, 1, 0], "BALANCED"],
    [[2, 1, 0], "SKEWED"],
    [[15, 15, 0], "SKEWED"],
  ] as const) {
    assert.equal(judge(calls(...counts), pods, "round_robin").word, want, `${counts}`);
  }
});

test("random is SKEWED only below a probability of 0.001", () => {
  // Two degrees of freedom: the limit is a statistic of 13.816.
  for (const [counts, want] of [
    [[100, 100, 100], "BALANCED"],
    [[120, 90, 90], "BALANCED"], // 6
    [[130, 88, 82], "BALANCED"], // 13.68, p = 0.00107
    [[131, 87, 82], "SKEWED"], // 14.14, p = 0.00085
    [[150, 150, 0], "SKEWED"],
    [[2, 1, 0], "BALANCED"], // three calls are too few
  ] as const) {
    const { word, pValue } = judge(calls(...counts), pods, "random");
    assert.equal(word, want, `${counts}: p = ${pValue}`);
  }
});

test("a verdict has the counts, the statistic and its probability", () => {
  const verdict = judge(["c", "b", "c", "b", "a", "c"], pods, "random");
  assert.deepEqual(
    [...verdict.perPod],
    [
      ["a", 1],
      ["b", 2],
      ["c", 3],
    ],
    "in the order of the pods given",
  );
  assert.deepEqual([verdict.calls, verdict.effectiveBackends, verdict.chiSquare], [6, 36 / 14, 1]);
  assert.ok(Math.abs(verdict.pValue - Math.exp(-0.5)) < 1e-12, `want e^-0.5, got ${verdict.pValue}`);
});

test("a pod that is not in the list is counted behind those that are", () => {
  const { perPod, word } = judge(["a", "x", "b", "x"], ["a", "b"], "random");
  assert.deepEqual(
    [[...perPod], word],
    [
      [
        ["a", 1],
        ["b", 1],
        ["x", 2],
      ],
      "BALANCED",
    ],
  );
});

test("uniform draws are SKEWED about once in a thousand times", () => {
  const random = createRandom(20_261_121);
  const samples = 20_000;
  let skewed = 0;
  for (let n = 0; n < samples; n++) {
    const drawn = Array.from({ length: 150 }, () => pods[Math.floor(random() * 3)] ?? "?");
    if (judge(drawn, pods, "random").word !== "BALANCED") skewed += 1;
  }
  // 20 expected, standard deviation 4.5.
  assert.ok(skewed >= 8 && skewed <= 36, `want 8 to 36 of ${samples} SKEWED, got ${skewed}`);
});

test("draws that prefer one pod are SKEWED", () => {
  const random = createRandom(5);
  const drawn = Array.from({ length: 600 }, () => (random() < 0.5 ? "a" : (pods[Math.floor(random() * 3)] ?? "?")));
  assert.equal(judge(drawn, pods, "random").word, "SKEWED");
});

test("no call, or fewer than two pods, is an error", () => {
  const range = (message: string) => ({ name: "RangeError", message });
  for (const rule of rules) {
    assert.throws(() => judge([], pods, rule), range("a verdict needs at least 1 call, got 0"));
    assert.throws(() => judge(["a"], ["a"], rule), range("a verdict needs at least 2 pods, got 1"));
    assert.throws(() => judge([], [], rule), range("a verdict needs at least 2 pods, got 0"));
  }
});
