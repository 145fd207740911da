import assert from "node:assert/strict";
import { test } from "node:test";
import { createRandom } from "@grpc-lb/core";
import { createWorkload } from "../testing/workload.ts";
import type { Outcome } from "./load.ts";

const forever = () => new AbortController().signal;

test("a call takes as long as it should, and no longer than its client waits", async () => {
  const { workload, clock } = createWorkload({ latencyMs: 200 });
  const gone = new AbortController();
  const outcomes: Outcome[] = [];
  const patient = workload.serve(forever).then((outcome) => outcomes.push(outcome));
  const impatient = workload.serve(() => gone.signal);
  await clock.asleep(2);
  clock.advance(199);
  gone.abort();
  assert.equal(await impatient, "cancelled");
  assert.deepEqual(outcomes, []);
  clock.advance(1);
  await patient;
  assert.deepEqual([outcomes, clock.sleeping], [["answered"], 0]);
});

test("the share of calls that fail is the one asked for", async () => {
  for (const errorRate of [0, 0.1, 1]) {
    const { workload } = createWorkload({ errorRate, random: createRandom(7) });
    let failed = 0;
    for (let n = 0; n < 10_000; n++) if ((await workload.serve(forever)) === "failed") failed += 1;
    const deviation = Math.sqrt(10_000 * errorRate * (1 - errorRate));
    assert.ok(Math.abs(failed - 10_000 * errorRate) <= 3 * deviation, `rate ${errorRate}: ${failed} of 10000 failed`);
  }
});

test("a server of capacity 2 and 100 ms serves twenty calls a second, in the order of their coming", async () => {
  const { workload, clock, meter } = createWorkload({ latencyMs: 100, capacity: 2 });
  const done: number[] = [];
  const calls = Array.from({ length: 60 }, (_, n) => workload.serve(forever).then(() => done.push(n)));
  for (let tenth = 1; tenth <= 20; tenth++) {
    await clock.asleep(2);
    assert.equal(clock.sleeping, 2, "more than two are served at once");
    clock.advance(100);
    await calls[tenth * 2 - 1];
    assert.deepEqual(done, [...Array(tenth * 2).keys()]);
  }
  const { callsPerSecond, applicationUtilization } = meter.read();
  assert.ok(Math.abs(callsPerSecond - 20) <= 2, `want 20 calls a second, got ${callsPerSecond}`);
  // Over the last second 40 to 22 calls were in hand, two of them in a place.
  assert.ok(Math.abs(applicationUtilization - 15.5) < 0.5, `want 15.5, got ${applicationUtilization}`);
  for (let tenth = 0; tenth < 10; tenth++) {
    await clock.asleep(2);
    clock.advance(100);
  }
  await Promise.all(calls);
});

test("a call that is given up in line never takes a place", async () => {
  const { workload, clock } = createWorkload({ latencyMs: 100, capacity: 1 });
  const first = workload.serve(forever);
  const gone = new AbortController();
  const second = workload.serve(() => gone.signal);
  const third = workload.serve(forever);
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
