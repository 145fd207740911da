import assert from "node:assert/strict";
import { test } from "node:test";
import { turn } from "@grpc-lb/core/testing";
import { identify, SharedRuns } from "./shared-runs.ts";

/** Runs whose end a test controls. */
function start() {
  const runs = new SharedRuns<number>();
  const ends: (() => void)[] = [];
  const aborted: number[] = [];
  let count = 0;
  const acquire = (key = "a") =>
    runs.acquire(
      key,
      () => ++count,
      (value, signal) => {
        signal.addEventListener("abort", () => void aborted.push(value));
        return new Promise((resolve) => ends.push(resolve));
      },
    );
  return { runs, acquire, ends, aborted };
}

/** Whether a promise has settled. */
async function hasSettled(promise: Promise<unknown>): Promise<boolean> {
  let isSettled = false;
  void promise.finally(() => (isSettled = true)).catch(() => {});
  await turn();
  return isSettled;
}

test("users of one key share a run, which the last one ends; another key has its own", async () => {
  const { acquire, ends, aborted } = start();
  const [one, two, other] = [acquire(), acquire(), acquire("b")];
  assert.deepEqual([one.value, two.value, other.value], [1, 1, 2]);
  await one.release();
  assert.deepEqual(aborted, []);
  const released = two.release();
  assert.deepEqual(aborted, [1]);
  assert.equal(await hasSettled(released), false, "the run has not ended");
  ends[0]?.();
  await released;
  const otherReleased = other.release();
  ends[1]?.();
  await otherReleased;
  assert.deepEqual(aborted, [1, 2]);
});

test("a lease that is released twice counts once", async () => {
  const { acquire, aborted } = start();
  const [one, two] = [acquire(), acquire()];
  const released = one.release();
  assert.equal(one.release(), released);
  await turn();
  assert.deepEqual(aborted, []);
  void two.release();
  assert.deepEqual(aborted, [1]);
});

test("a user that starts while a run is ending starts another, and the end of the old one does not end it", async () => {
  const { acquire, ends, aborted } = start();
  const released = acquire().release();
  const next = acquire();
  assert.equal(next.value, 2);
  ends[0]?.();
  await released;
  assert.equal(acquire().value, 2, "the new run is shared");
  assert.deepEqual(aborted, [1]);
});

test("a run that fails is reported to its users and forgotten, and its release does not reject", async () => {
  const runs = new SharedRuns<number>();
  let count = 0;
  const acquire = () =>
    runs.acquire(
      "a",
      () => ++count,
      async (value) => {
        if (value === 1) throw new Error("a fault");
      },
    );
  const [one, two] = [acquire(), acquire()];
  await assert.rejects(one.ended, /a fault/);
  await assert.rejects(two.ended, /a fault/);
  assert.equal(acquire().value, 2);
  await Promise.all([one.release(), two.release()]);
});

test("identify gives the same number to the same object and to no other", () => {
  const [a, b] = [{}, {}];
  assert.equal(identify(a), identify(a));
  assert.notEqual(identify(a), identify(b));
});
