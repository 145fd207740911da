import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { assertNothingLeft, ManualClock, turn, until } from "@grpc-lb/core/testing";
import { PublicationPace } from "./publication-pace.ts";

afterEach(assertNothingLeft);

/** How long the pause is after a publication that takes `ms`, and whose sending takes `sendMs` in the turn after it and as much once more. */
async function pauseAfter(ms: number, sendMs: number) {
  const clock = new ManualClock();
  const pace = new PublicationPace(clock, 50);
  pace.run(() => {
    clock.advance(ms);
    // As a stream writes, and HTTP/2 after it.
    setImmediate(() => {
      clock.advance(sendMs);
      setImmediate(() => clock.advance(sendMs));
    });
  });
  for (let n = 0; n < 4; n++) await turn();
  const endMs = clock.now();
  let isReady = false;
  const ready = pace.ready(new AbortController().signal).then(() => {
    isReady = true;
  });
  await until(() => {
    if (!isReady) clock.advance(1);
    return isReady;
  }, "the end of the pause");
  await ready;
  assert.equal(clock.sleeping, 0);
  return clock.now() - endMs;
}

test("the pause is as long as the publication took with its sending, and at least the gap", async () => {
  const near = (got: number, want: number) => assert.ok(Math.abs(got - want) <= 2, `got ${got} ms, want ${want} ms`);
  near(await pauseAfter(1, 1), 50);
  near(await pauseAfter(200, 0), 200);
  near(await pauseAfter(100, 300), 700);
});

test("who waits when a publication begins waits for the pause after it; an abort ends the wait", async () => {
  const clock = new ManualClock();
  const pace = new PublicationPace(clock, 50);
  const order: string[] = [];
  const closing = new AbortController();
  const ready = pace.ready(closing.signal).then(() => order.push("ready"));
  pace.run(() => order.push("publication"));
  await until(() => clock.sleeping === 1, "the pause");
  closing.abort();
  await ready;
  assert.deepEqual([order, clock.sleeping], [["publication", "ready"], 0]);
});
