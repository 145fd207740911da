import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ManualClock } from "@grpc-lb/core/testing";
import { within } from "./deadline.ts";

const describeIt = () => "server-1 did not serve within 20 s";

describe("a deadline", () => {
  it("gives what comes in time, and stops waiting", async () => {
    const clock = new ManualClock();
    const deadline = { ms: 20_000, clock, signal: new AbortController().signal, describe: describeIt };
    assert.equal(await within(deadline, Promise.resolve("served")), "served");
    assert.equal(clock.sleeping, 0);
  });

  it("says what did not come", async () => {
    const clock = new ManualClock();
    const deadline = { ms: 20_000, clock, signal: new AbortController().signal, describe: describeIt };
    const waiting = within(deadline, new Promise(() => {}));
    await clock.asleep();
    clock.advance(20_000);
    await assert.rejects(waiting, { message: describeIt(), exitCode: 1 });
  });

  it("ends with its signal", async () => {
    const ending = new AbortController();
    const deadline = { ms: 20_000, clock: new ManualClock(), signal: ending.signal, describe: describeIt };
    const waiting = within(deadline, new Promise(() => {}));
    ending.abort();
    await assert.rejects(waiting, { message: describeIt() });
  });
});
