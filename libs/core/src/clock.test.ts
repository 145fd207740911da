import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { afterEach, test } from "node:test";
import { assertNothingLeft } from "../testing/index.ts";
import { systemClock } from "./clock.ts";

const hour = 3_600_000;
const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length;

afterEach(assertNothingLeft);

test("a sleep lasts at least as long as requested", async () => {
  const before = systemClock.now();
  await systemClock.sleep(30);
  const elapsed = systemClock.now() - before;
  assert.ok(elapsed >= 29, `want at least 30 ms (a timer may be 1 ms early), got ${elapsed}`);
});

test("an abort ends the sleep at once, without rejecting, and clears its timer", async () => {
  const controller = new AbortController();
  const sleep = systemClock.sleep(hour, controller.signal);
  assert.equal(timers(), 1, "a sleep keeps the process alive");
  controller.abort(new Error("not now"));
  assert.equal(await sleep, undefined);
  assert.equal(timers(), 0, "timers after the abort");
});

test("with a signal that is already aborted no timer starts", async () => {
  const sleep = systemClock.sleep(hour, AbortSignal.abort());
  assert.equal(timers(), 0, "timers of an aborted sleep");
  assert.equal(await sleep, undefined);
});

test("a signal that outlives many sleeps keeps no listeners", async () => {
  const { signal } = new AbortController();
  for (let n = 0; n < 20; n++) await systemClock.sleep(0, signal);
  assert.equal(getEventListeners(signal, "abort").length, 0);
});
