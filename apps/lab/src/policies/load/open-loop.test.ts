import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createRandom } from "@grpc-lb/core";
import { ManualClock, turn } from "@grpc-lb/core/testing";
import { arrivals, runOpenLoop } from "./open-loop.ts";

describe("arrivals", () => {
  it("increase, have the given rate, and are the same for the same seed", () => {
    const due = [...arrivals(500, 60_000, createRandom(3))];
    // The mean is 30,000 and the standard deviation 173.
    assert.ok(Math.abs(due.length - 30_000) < 700, `got ${due.length}`);
    assert.ok(due.every((ms, i) => ms > (due[i - 1] ?? 0) && ms < 60_000));
    assert.deepEqual([...arrivals(500, 60_000, createRandom(3))], due);
  });

  it("have exponential gaps, whose mean is their standard deviation", () => {
    const due = [...arrivals(100, 100_000, createRandom(4))];
    const gaps = due.map((ms, i) => ms - (due[i - 1] ?? 0));
    const mean = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length;
    const deviation = Math.sqrt(gaps.reduce((sum, gap) => sum + (gap - mean) ** 2, 0) / gaps.length);
    assert.ok(Math.abs(deviation / mean - 1) < 0.05, `got ${mean} and ${deviation}`);
  });
});

describe("the open loop", () => {
  it("sends each call when it is due, and overdue calls at once", async () => {
    const clock = new ManualClock();
    const sent: [dueMs: number, nowMs: number][] = [];
    const send = (dueMs: number) => sent.push([dueMs, clock.now()]);
    const run = runOpenLoop([5, 7, 8, 20], send, clock, AbortSignal.timeout(5_000));
    for (const ms of [5, 4, 11]) {
      await clock.asleep();
      clock.advance(ms);
      await turn();
    }
    await run;
    assert.deepEqual(sent, [
      [5, 5],
      [7, 9],
      [8, 9],
      [20, 20],
    ]);
  });

  it("ends when its signal is aborted", async () => {
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
});
