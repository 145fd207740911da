import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";
import { ManualClock } from "../../testing/index.ts";
import { RequestGuard } from "./request-guard.ts";

const turn = () => new Promise((resolve) => setImmediate(resolve));

test("silence ends the request when its time is over; each word begins the time anew", async () => {
  const clock = new ManualClock();
  const guard = new RequestGuard(new AbortController().signal, clock);
  guard.allow(15_000);
  for (let n = 0; n < 3; n++) {
    clock.advance(14_000);
    await turn();
    guard.heard();
  }
  clock.advance(14_999);
  await turn();
  assert.equal(guard.signal.aborted, false);
  clock.advance(1);
  await turn();
  assert.equal((guard.signal.reason as Error).message, "nothing heard for 15 s");
  assert.equal(clock.sleeping, 0);
});

test("the whole has its own time, however much is heard", async () => {
  const clock = new ManualClock();
  const guard = new RequestGuard(new AbortController().signal, clock, 60_000);
  guard.allow(15_000);
  for (let n = 0; n < 5; n++) {
    clock.advance(10_000);
    await turn();
    guard.heard();
  }
  clock.advance(9_999);
  await turn();
  assert.equal(guard.signal.aborted, false);
  clock.advance(1);
  await turn();
  assert.equal((guard.signal.reason as Error).message, "no whole answer within 60 s");
  assert.equal(clock.sleeping, 0);
});

test("where silence and the whole end at the same time, the error is that of the silence", async () => {
  const clock = new ManualClock();
  const guard = new RequestGuard(new AbortController().signal, clock, 5_000);
  clock.advance(1);
  guard.allow(5_000);
  clock.advance(4_999);
  await turn();
  assert.equal((guard.signal.reason as Error).message, "nothing heard for 5 s");
});

test("the time allowed can grow and shrink", async () => {
  const clock = new ManualClock();
  const guard = new RequestGuard(new AbortController().signal, clock);
  guard.allow(15_000);
  guard.allow(100_000);
  clock.advance(99_000);
  await turn();
  assert.equal(guard.signal.aborted, false);
  guard.allow(500);
  await turn();
  assert.equal(clock.sleeping, 1);
  clock.advance(500);
  await turn();
  assert.equal(guard.signal.aborted, true);
});

test("the owner's abort ends it at once; a work that goes on is not waited for", async () => {
  const owner = new AbortController();
  const guard = new RequestGuard(owner.signal, new ManualClock());
  const raced = guard.race(new Promise(() => {}));
  owner.abort(new Error("enough"));
  await assert.rejects(raced, /enough/);
  await assert.rejects(guard.race(new Promise(() => {})), /enough/);
  assert.equal(new RequestGuard(owner.signal, new ManualClock()).signal.aborted, true);
});

test("a work that fails after the request has ended is no unhandled rejection", async () => {
  const owner = new AbortController();
  const guard = new RequestGuard(owner.signal, new ManualClock());
  const work = Promise.withResolvers<void>();
  const raced = guard.race(work.promise);
  owner.abort(new Error("enough"));
  await assert.rejects(raced, /enough/);
  work.reject(new Error("too late"));
  await turn();
});

test("release leaves no timer, and nothing on the owner's signal", async () => {
  const clock = new ManualClock();
  const owner = new AbortController();
  for (let n = 0; n < 100; n++) {
    const guard = new RequestGuard(owner.signal, clock);
    guard.allow(1_000);
    await guard.race(Promise.resolve());
    guard.release();
  }
  await turn();
  assert.deepEqual([clock.sleeping, getEventListeners(owner.signal, "abort").length], [0, 0]);
});
