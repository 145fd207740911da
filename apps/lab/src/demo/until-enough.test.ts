import assert from "node:assert/strict";
import { test } from "node:test";
import { ManualClock, turn } from "@grpc-lb/core/testing";
import { extraMs, neededCalls, type Plan } from "./plan.ts";
import { untilEnough } from "./until-enough.ts";

const plan: Plan = { durationMs: 3_000, intervalMs: 50, servers: 3, seed: 1 };
const enough = neededCalls(plan);

/** A wait for one client. */
function waitFor(log: { calls: number; errors: number }) {
  const clock = new ManualClock();
  const aborting = new AbortController();
  let isOver = false;
  void untilEnough([log], plan, clock, aborting.signal).then(() => {
    isOver = true;
  });
  const passes = async (ms: number) => {
    for (let leftMs = ms; leftMs > 0; leftMs -= 100) {
      clock.advance(100);
      await turn();
    }
    return isOver;
  };
  return { passes, aborting };
}

test("a client with enough calls is not waited for, and neither is one whose calls fail", async () => {
  assert.equal(await waitFor({ calls: enough, errors: 0 }).passes(100), true);
  assert.equal(await waitFor({ calls: 3, errors: 1 }).passes(100), true);
});

test("the wait is over when the client of a busy machine has enough calls", async () => {
  const log = { calls: enough - 2, errors: 0 };
  const { passes } = waitFor(log);
  assert.equal(await passes(2_000), false);
  log.calls = enough;
  assert.equal(await passes(100), true);
});

test("the wait has a limit, and ends with the run", async () => {
  const { passes } = waitFor({ calls: 3, errors: 0 });
  assert.equal(await passes(extraMs(plan) - 100), false);
  assert.equal(await passes(100), true);
  const stopped = waitFor({ calls: 3, errors: 0 });
  assert.equal(await stopped.passes(100), false);
  stopped.aborting.abort();
  assert.equal(await stopped.passes(100), true);
});
