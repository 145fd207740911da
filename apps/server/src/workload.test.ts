import assert from "node:assert/strict";
import { test } from "node:test";
import { createRandom } from "@grpc-lb/core";
import { createWorkload } from "../testing/workload.ts";
import type { Outcome } from "./load.ts";

const never = () => new AbortController().signal;

test("a call takes the latency, and no longer than its client waits", async () => {
  const { workload, clock } = createWorkload({ latencyMs: 200 });
  const gone = new AbortController();
  const outcomes: Outcome[] = [];
  const first = workload.serve(never).then((outcome) => outcomes.push(outcome));
  const cancelled = workload.serve(() => gone.signal);
  await clock.asleep(2);
  clock.advance(199);
  gone.abort();
  assert.equal(await cancelled, "cancelled");
  assert.deepEqual(outcomes, []);
  clock.advance(1);
  await first;
  assert.deepEqual([outcomes, clock.sleeping], [["answered"], 0]);
});

test("the share of failing calls is the error rate", async () => {
  for (const errorRate of [0, 0.1, 1]) {
    const { workload } = createWorkload({ errorRate, random: createRandom(7) });
    let failed = 0;
    for (let n = 0; n < 10_000; n++) if ((await workload.serve(never)) === "failed") failed += 1;
    const deviation = Math.sqrt(10_000 * errorRate * (1 - errorRate));
    assert.ok(Math.abs(failed - 10_000 * errorRate) <= 3 * deviation, `rate ${errorRate}: ${failed} of 10000 failed`);
  }
});

test("a capacity of 2 and a latency of 100 ms serve twenty calls per second, in the order of arrival", async () => {
  const { workload, clock, meter } = createWorkload({ latencyMs: 100, capacity: 2 });
  const done: number[] = [];
  const calls = Array.from({ length: 60 }, (_, n) => workload.serve(never).then(() => done.push(n)));
  for (let tenth = 1; tenth <= 20; tenth++) {
    await clock.asleep(2);
    assert.equal(clock.sleeping, 2, "more than two are served at once");
    clock.advance(100);
    await calls[tenth * 2 - 1];
    assert.deepEqual(done, [...Array(tenth * 2).keys()]);
  }
  const { callsPerSecond, applicationUtilization } = meter.read();
  assert.ok(Math.abs(callsPerSecond - 20) <= 2, `want 20 calls a second, got ${callsPerSecond}`);
  // Over the last second 40 to 22 calls were in progress, two of them served.
  assert.ok(Math.abs(applicationUtilization - 15.5) < 0.5, `want 15.5, got ${applicationUtilization}`);
  for (let tenth = 0; tenth < 10; tenth++) {
    await clock.asleep(2);
    clock.advance(100);
  }
  await Promise.all(calls);
});

test("a call that is cancelled in the queue never gets a permit", async () => {
  const { workload, clock } = createWorkload({ latencyMs: 100, capacity: 1 });
  const first = workload.serve(never);
  const gone = new AbortController();
  const second = workload.serve(() => gone.signal);
  const third = workload.serve(never);
  await clock.asleep();
  gone.abort();
  assert.equal(await second, "cancelled");
  clock.advance(100);
  assert.equal(await first, "answered");
  await clock.asleep();
  clock.advance(100);
  assert.equal(await third, "answered");
  assert.equal(clock.sleeping, 0);
});

test("during the warm-up calls are answered at once, and afterwards they do not count", async () => {
  const { workload, clock, meter, cpu } = createWorkload({ latencyMs: 60_000, errorRate: 1, capacity: 1 });
  await workload.warmUp(async () => {
    cpu.usedMs += 500;
    const outcomes = await Promise.all([workload.serve(never), workload.serve(never), workload.serve(never)]);
    assert.deepEqual(outcomes, ["answered", "answered", "answered"]);
  });
  clock.advance(1_000);
  assert.deepEqual(Object.values(meter.read()), [0, 0, 0, 0]);
  const call = workload.serve(never);
  await clock.asleep();
  clock.advance(60_000);
  assert.equal(await call, "failed");
});

test("a warm-up that fails ends the warm-up too", async () => {
  const { workload } = createWorkload({ errorRate: 1 });
  await assert.rejects(
    workload.warmUp(() => Promise.reject(new Error("no route"))),
    /no route/,
  );
  assert.equal(await workload.serve(never), "failed");
});
