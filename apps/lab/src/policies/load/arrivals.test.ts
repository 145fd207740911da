import assert from "node:assert/strict";
import { test } from "node:test";
import { createRandom } from "@grpc-lb/core";
import { arrivals } from "./arrivals.ts";

test("calls rise to the end, as many as the rate says, and alike for one seed", () => {
  const due = [...arrivals(500, 60_000, createRandom(3))];
  // A mean of 30,000, standard deviation 173.
  assert.ok(Math.abs(due.length - 30_000) < 700, `got ${due.length}`);
  assert.ok(due.every((ms, i) => ms > (due[i - 1] ?? 0) && ms < 60_000));
  assert.deepEqual([...arrivals(500, 60_000, createRandom(3))], due);
});

test("gaps are those of chance: as wide on the mean as they deviate from it", () => {
  const due = [...arrivals(100, 100_000, createRandom(4))];
  const gaps = due.map((ms, i) => ms - (due[i - 1] ?? 0));
  const mean = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length;
  const deviation = Math.sqrt(gaps.reduce((sum, gap) => sum + (gap - mean) ** 2, 0) / gaps.length);
  assert.ok(Math.abs(deviation / mean - 1) < 0.05, `got ${mean} and ${deviation}`);
});
