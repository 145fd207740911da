import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";
import { ManualClock } from "./index.ts";

test("a manual clock does not advance by itself", () => {
  const clock = new ManualClock();
  assert.equal(clock.now(), 0);
  clock.advance(1_500);
  clock.advance(1);
  assert.equal(clock.now(), 1_501);
});

test("advancing ends the waits that are due, earliest first, and no other", async () => {
  const clock = new ManualClock();
  const woken: string[] = [];
  const waits = [300, 100, 200, 301].map((ms) => clock.sleep(ms).then(() => woken.push(`${ms}`)));
  clock.advance(300);
  await Promise.all(waits.slice(0, 3));
  assert.deepEqual([woken, clock.sleeping], [["100", "200", "300"], 1]);
  clock.advance(1);
  await waits[3];
  assert.deepEqual([woken.at(-1), clock.sleeping], ["301", 0]);
});

test("a wait counts from its start", async () => {
  const clock = new ManualClock();
  clock.advance(1_000);
  const wait = clock.sleep(100);
  clock.advance(99);
  assert.equal(clock.sleeping, 1);
  clock.advance(1);
  await wait;
  assert.equal(clock.sleeping, 0);
});

test("an abort, or the wait's end, leaves no listener", async () => {
  const clock = new ManualClock();
  const controller = new AbortController();
  const short = clock.sleep(10, controller.signal);
  const long = clock.sleep(1_000, controller.signal);
  clock.advance(10);
  await short;
  assert.equal(getEventListeners(controller.signal, "abort").length, 1);
  controller.abort();
  await long;
  assert.deepEqual([clock.sleeping, getEventListeners(controller.signal, "abort").length], [0, 0]);
  await clock.sleep(1_000, controller.signal);
  assert.equal(clock.sleeping, 0, "an aborted signal begins no wait");
});

test("asleep resolves when enough waits are pending, at once when they already are", async () => {
  const clock = new ManualClock();
  let isAsleep = false;
  const asleep = clock.asleep(2).then(() => {
    isAsleep = true;
  });
  void clock.sleep(10);
  await clock.asleep();
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(isAsleep, false, "resolved with one wait of two");
  void clock.sleep(10);
  await asleep;
  await clock.asleep(2);
  clock.advance(10);
});
