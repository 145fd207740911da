import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ManualClock } from "@grpc-lb/core/testing";
import { within } from "./deadline.ts";

const message = "server-1 did not serve within 20 s";

function deadlineOf(clock: ManualClock, signal = new AbortController().signal) {
  return { ms: 20_000, clock, signal, describe: () => message };
}

describe("a deadline", () => {
  it("returns a result that comes in time, and leaves no timer", async () => {
    const clock = new ManualClock();
    assert.equal(await within(deadlineOf(clock), Promise.resolve("served")), "served");
    assert.equal(clock.sleeping, 0);
  });

  it("throws its message when the time is over", async () => {
    const clock = new ManualClock();
    const waiting = within(deadlineOf(clock), new Promise(() => {}));
    await clock.asleep();
    clock.advance(20_000);
    await assert.rejects(waiting, { message, exitCode: 1 });
  });

  it("throws its message when its signal is aborted", async () => {
    const abort = new AbortController();
    const waiting = within(deadlineOf(new ManualClock(), abort.signal), new Promise(() => {}));
    abort.abort();
    await assert.rejects(waiting, { message });
  });
});
