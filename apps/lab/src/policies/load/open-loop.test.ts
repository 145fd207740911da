import assert from "node:assert/strict";
import { test } from "node:test";
import { ManualClock } from "@grpc-lb/core/testing";
import { runOpenLoop } from "./open-loop.ts";

test("each call is sent when it is due, and all that are overdue at once", async () => {
  const clock = new ManualClock();
  const sent: [dueMs: number, nowMs: number][] = [];
  const run = runOpenLoop([5, 7, 8, 20], (dueMs) => sent.push([dueMs, clock.now()]), clock, AbortSignal.timeout(5_000));
  for (const ms of [5, 4, 11]) {
    await clock.asleep();
    clock.advance(ms);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await run;
  assert.deepEqual(sent, [
    [5, 5],
    [7, 9],
    [8, 9],
    [20, 20],
  ]);
});

test("it ends when it is told to", async () => {
  const clock = new ManualClock();
  const end = new AbortController();
  let sent = 0;
  const run = runOpenLoop([1, 2, 3], () => sent++, clock, end.signal);
  await clock.asleep();
  clock.advance(1);
  await clock.asleep();
  end.abort();
  await run;
  assert.deepEqual([sent, clock.sleeping], [1, 0]);
});
