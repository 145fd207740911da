import assert from "node:assert/strict";
import { test } from "node:test";
import { status } from "@grpc/grpc-js";
import { ManualClock } from "@grpc-lb/core/testing";
import { waitForKeys } from "./first-keys.ts";

function verifier(codes: status[]) {
  return async () => ({ refusal: { code: codes.shift() ?? assert.fail("one check too many"), details: "" } }) as never;
}

test("keys are read again every 5 s until they were read once", async () => {
  const clock = new ManualClock();
  const codes = [status.UNAVAILABLE, status.UNAVAILABLE, status.UNAUTHENTICATED];
  const waiting = waitForKeys(verifier(codes), clock, new AbortController().signal);
  for (const left of [2, 1]) {
    await clock.asleep();
    assert.equal(codes.length, left);
    clock.advance(5_000);
  }
  await waiting;
  assert.deepEqual([codes, clock.sleeping], [[], 0]);
});

test("an abort ends the wait for keys", async () => {
  const clock = new ManualClock();
  const ending = new AbortController();
  const waiting = waitForKeys(verifier([status.UNAVAILABLE]), clock, ending.signal);
  await clock.asleep();
  ending.abort();
  await waiting;
  assert.equal(clock.sleeping, 0);
});
