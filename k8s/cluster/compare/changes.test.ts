import assert from "node:assert/strict";
import { test } from "node:test";
import { ManualClock } from "@grpc-lb/core/testing";
import { Changes } from "./changes.ts";

const never = new AbortController().signal;

test("what holds already is returned at once, without a wait", async () => {
  assert.equal(await new Changes(new ManualClock()).until(() => 7, 1_000, never), 7);
});

test("a change makes a waiter check again", async () => {
  const changes = new Changes(new ManualClock());
  let value: string | undefined;
  const waiting = changes.until(() => value, 1_000, never);
  changes.notify();
  value = "there";
  changes.notify();
  assert.equal(await waiting, "there");
});

test("after the limit, or when it is aborted, a wait ends without a value", async () => {
  const clock = new ManualClock();
  const changes = new Changes(clock);
  const late = changes.until(() => undefined, 1_000, never);
  clock.advance(1_000);
  assert.equal(await late, undefined);
  const stop = new AbortController();
  const stopped = changes.until(() => undefined, 1_000, stop.signal);
  stop.abort();
  assert.equal(await stopped, undefined);
});
