import assert from "node:assert/strict";
import { test } from "node:test";
import { ManualClock } from "@grpc-lb/core/testing";
import { type Drainable, drain } from "./drain.ts";
import { Readiness } from "./readiness.ts";

/** A server whose calls end when the test says so, or when they are cut. */
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

test("a drain says not ready at once, and serves on for the delay before it closes", async () => {
  const clock = new ManualClock();
  const readiness = new Readiness();
  const { server, seen, endCalls } = fakeServer();
  const result = drain(readiness, [server], { clock, ...timing });
  assert.equal(readiness.isReady, false);
  clock.advance(4_999);
  await clock.asleep();
  assert.deepEqual(seen, [], "closed before the delay was over");
  clock.advance(1);
  await clock.asleep();
  assert.deepEqual(seen, ["close"]);
  endCalls();
  assert.equal(await result, "drained");
  assert.equal(clock.sleeping, 0, "the deadline is still waited for");
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

test("readiness ends once, and tells each listener once", () => {
  const readiness = new Readiness();
  let told = 0;
  readiness.onUnready(() => {
    told += 1;
  });
  readiness.end();
  readiness.end();
  assert.equal(told, 1);
});

test("registries hear first of all, and the server goes on until they have, and no longer than 2 s beyond its delay", async () => {
  const clock = new ManualClock();
  const { server, seen, endCalls } = fakeServer();
  endCalls();
  const heard = Promise.withResolvers<void>();
  const leave = () => {
    seen.push("leave");
    return heard.promise;
  };
  const result = drain(new Readiness(), [server], { clock, delayMs: 0, timeoutMs: 15_000, leave });
  assert.deepEqual(seen, ["leave"]);
  clock.advance(1_999);
  await clock.asleep();
  assert.deepEqual(seen, ["leave"], "closed while clients were still sent here");
  heard.resolve();
  assert.equal(await result, "drained");

  const silent = fakeServer();
  silent.endCalls();
  const never = () => new Promise<void>(() => {});
  const late = drain(new Readiness(), [silent.server], { clock, delayMs: 0, timeoutMs: 15_000, leave: never });
  clock.advance(2_000);
  assert.equal(await late, "drained");
  assert.equal(clock.sleeping, 0);
});
