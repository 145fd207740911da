import assert from "node:assert/strict";
import { test } from "node:test";
import { ManualClock, turn } from "@grpc-lb/core/testing";
import { MissingInstances } from "./missing-instances.ts";

const graceMs = 10_000;

function start() {
  const clock = new ManualClock();
  const ending = new AbortController();
  const expired: string[] = [];
  const missing = new MissingInstances({
    graceMs,
    clock,
    signal: ending.signal,
    onExpired: (ids) => void expired.push([...ids].join()),
  });
  const pass = async (ms: number) => {
    clock.advance(ms);
    await turn();
  };
  return { clock, missing, expired, pass, ending };
}

test("instances that are missing after a failure are reported when the grace period is over, and not before", async () => {
  const { missing, expired, pass } = start();
  missing.replace(new Set(["a", "b"]), true);
  assert.deepEqual([...missing.ids], ["a", "b"]);
  await pass(graceMs - 1);
  assert.deepEqual(expired, []);
  await pass(1);
  assert.deepEqual([expired, missing.ids.size], [["a,b"], 0]);
  await pass(graceMs);
  assert.equal(expired.length, 1);
});

test("an instance that was registered again during the grace period is not reported", async () => {
  const { missing, expired, pass } = start();
  missing.replace(new Set(["a", "b"]), true);
  missing.delete("a");
  await pass(graceMs);
  assert.deepEqual(expired, ["b"]);
});

test("nothing is reported when all were registered again, one by one or in a later reading", async () => {
  for (const settle of [
    (missing: MissingInstances) => missing.delete("a"),
    (missing: MissingInstances) => missing.replace(new Set(), false),
  ]) {
    const { missing, expired, pass } = start();
    missing.replace(new Set(["a"]), true);
    settle(missing);
    await pass(graceMs);
    assert.deepEqual([expired, missing.ids.size], [[], 0]);
  }
});

test("another reading does not prolong the period, and a suspicious one begins a new period", async () => {
  for (const [mayHaveLost, atMs] of [
    [false, 10_000],
    [true, 16_000],
  ] as const) {
    const { missing, expired, pass } = start();
    missing.replace(new Set(["a"]), true);
    await pass(6_000);
    missing.replace(new Set(["a", "b"]), mayHaveLost);
    await pass(atMs - 6_000 - 1);
    assert.deepEqual(expired, [], `suspicious: ${mayHaveLost}`);
    await pass(1);
    assert.deepEqual(expired, ["a,b"]);
  }
});

test("a period that follows one that was settled is as long as the first", async () => {
  for (const settle of [
    (missing: MissingInstances) => missing.delete("a"),
    (missing: MissingInstances) => missing.replace(new Set(), false),
  ]) {
    const { missing, expired, pass } = start();
    missing.replace(new Set(["a"]), true);
    await pass(6_000);
    settle(missing);
    missing.replace(new Set(["b"]), false);
    await pass(graceMs - 1);
    assert.deepEqual(expired, []);
    await pass(1);
    assert.deepEqual(expired, ["b"]);
  }
});

test("a period that follows one that is over is as long as the first, also after a reading that is not suspicious", async () => {
  const { missing, expired, pass } = start();
  missing.replace(new Set(["a"]), true);
  await pass(graceMs);
  missing.replace(new Set(["b"]), false);
  await pass(graceMs);
  assert.deepEqual(expired, ["a", "b"]);
});

test("an abort ends the period without a report, and no wait is left", async () => {
  const { clock, missing, expired, ending, pass } = start();
  missing.replace(new Set(["a"]), true);
  ending.abort();
  await pass(graceMs);
  assert.deepEqual([expired, clock.sleeping], [[], 0]);
});

test("the ids that were given may change afterwards", () => {
  const { missing } = start();
  const given = new Set(["a"]);
  missing.replace(given, true);
  given.add("b");
  assert.deepEqual([...missing.ids], ["a"]);
});
