import assert from "node:assert/strict";
import { test } from "node:test";
import { Latency } from "./latency.ts";

const decayMs = 1_000;
const unknownMs = 30;

function assertClose(got: number, want: number): void {
  assert.ok(Math.abs(got - want) <= 1e-9 * want, `want ${want}, got ${got}`);
}

test("before the first response the estimate is the given default, for any time", () => {
  const latency = new Latency();
  assert.equal(latency.isKnown, false);
  assert.equal(latency.at(0, decayMs, unknownMs), unknownMs);
  assert.equal(latency.at(1e6, decayMs, unknownMs), unknownMs);
});

test("the first response counts fully", () => {
  const latency = new Latency();
  latency.observe(7, 5_000, decayMs);
  assert.equal(latency.isKnown, true);
  assert.equal(latency.at(5_000, decayMs, unknownMs), 7);
});

test("a slower response counts fully at once, a faster one by the time since the last", () => {
  const latency = new Latency();
  latency.observe(10, 0, decayMs);
  latency.observe(200, 100, decayMs);
  assert.equal(latency.at(100, decayMs, unknownMs), 200);
  latency.observe(10, 600, decayMs);
  assertClose(latency.at(600, decayMs, unknownMs), 200 * Math.exp(-0.5) + 10 * (1 - Math.exp(-0.5)));
  latency.observe(10, 600, decayMs);
  assertClose(latency.at(600, decayMs, unknownMs), 200 * Math.exp(-0.5) + 10 * (1 - Math.exp(-0.5)));
});

test("without responses the estimate falls to 1/e in one decay time", () => {
  const latency = new Latency();
  latency.observe(100, 1_000, decayMs);
  assertClose(latency.at(2_000, decayMs, unknownMs), 100 / Math.E);
  assertClose(latency.at(3_000, 2 * decayMs, unknownMs), 100 / Math.E);
});

test("a failure doubles the estimate, from a minimum up to the decay time, unless the call took longer", () => {
  for (const { had, took, want } of [
    { had: undefined, took: 1, want: 60 },
    { had: 10, took: 1, want: 60 },
    { had: 100, took: 1, want: 200 },
    { had: 100, took: 500, want: 500 },
    { had: 900, took: 1, want: 1_000 },
    { had: 900, took: 5_000, want: 5_000 },
  ]) {
    const latency = new Latency();
    if (had !== undefined) latency.observe(had, 0, decayMs);
    latency.penalize(took, 0, decayMs, 30);
    assert.equal(latency.at(0, decayMs, unknownMs), want, `${had} ms and a failure after ${took} ms`);
  }
});

test("failures in quick succession stay at the bound", () => {
  const latency = new Latency();
  for (let n = 0; n < 100; n++) latency.penalize(1, 0, decayMs, 30);
  assert.equal(latency.at(0, decayMs, unknownMs), decayMs);
});
