import assert from "node:assert/strict";
import { test } from "node:test";
import { ManualClock } from "@grpc-lb/core/testing";
import { type Drainable, drain } from "./drain.ts";
import { Readiness } from "./readiness.ts";

/** A server whose calls end when the test ends them, or when they are cut. */
function fakeServer() {
  const { promise, resolve } = Promise.withResolvers<void>();
  const seen: string[] = [];
  const server: Drainable = {
    close() {
      seen.push("close");
      return promise;
    },
    cut() {
      seen.push("cut");
      resolve();
    },
  };
  return { server, seen, endCalls: resolve };
}

const timing = { delayMs: 5_000, timeoutMs: 15_000 };

test("a drain makes the server not ready at once, and serves for the delay before it closes", async () => {
  const clock = new ManualClock();
  const readiness = new Readiness();
  const { server, seen, endCalls } = fakeServer();
  const result = drain(readiness, [server], { clock, ...timing });
  assert.equal(readiness.state, "draining");
  clock.advance(4_999);
  await clock.asleep();
  assert.deepEqual(seen, [], "closed before the delay was over");
  clock.advance(1);
  await clock.asleep();
  assert.deepEqual(seen, ["close"]);
  endCalls();
  assert.equal(await result, "drained");
  assert.equal(clock.sleeping, 0, "the deadline is still pending");
});

test("calls that do not end are cut at the deadline, on every server", async () => {
  const clock = new ManualClock();
  const [slow, quick] = [fakeServer(), fakeServer()];
  quick.endCalls();
  const result = drain(new Readiness(), [slow.server, quick.server], { clock, ...timing });
  clock.advance(5_000);
  await clock.asleep();
  clock.advance(14_999);
  assert.deepEqual(slow.seen, ["close"], "cut before the deadline");
  clock.advance(1);
  assert.equal(await result, "cut");
  assert.deepEqual(
    [slow.seen, quick.seen],
    [
      ["close", "cut"],
      ["close", "cut"],
    ],
  );
});

test("the server is deregistered first, and serves until that is done, at most 2 s longer than the delay", async () => {
  const clock = new ManualClock();
  const { server, seen, endCalls } = fakeServer();
  endCalls();
  const deregistered = Promise.withResolvers<void>();
  const leave = () => {
    seen.push("leave");
    return deregistered.promise;
  };
  const result = drain(new Readiness(), [server], { clock, delayMs: 0, timeoutMs: 15_000, leave });
  assert.deepEqual(seen, ["leave"]);
  clock.advance(1_999);
  await clock.asleep();
  assert.deepEqual(seen, ["leave"], "closed while clients were still sent here");
  deregistered.resolve();
  assert.equal(await result, "drained");

  const silent = fakeServer();
  silent.endCalls();
  const never = () => new Promise<void>(() => {});
  const late = drain(new Readiness(), [silent.server], { clock, delayMs: 0, timeoutMs: 15_000, leave: never });
  clock.advance(2_000);
  assert.equal(await late, "drained");
  assert.equal(clock.sleeping, 0);
});
