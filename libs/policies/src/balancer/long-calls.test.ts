import assert from "node:assert/strict";
import { test } from "node:test";
import { createRandom } from "@grpc-lb/core";
import { ManualClock, turn } from "@grpc-lb/core/testing";
import { closeChannel, endpoints, spread, take } from "../../testing/fake-calls.ts";
import { FakeChannel } from "../../testing/fake-channel.ts";
import { noWaits } from "../../testing/no-waits.ts";
import type { PolicyJson } from "../grpc-js.ts";
import { registerPoliciesIn } from "../registration/register.ts";

const joined = "10.0.0.4:80";

/** Time passes, and what waits for it. */
async function pass(clock: ManualClock, ms: number): Promise<void> {
  clock.advance(ms);
  await turn();
}

/** How many of 600 unary calls go to a fourth endpoint that joins three with 20 idle streams each. */
async function callsToJoined(policy: PolicyJson): Promise<number> {
  const clock = new ManualClock();
  registerPoliciesIn({ clock, random: createRandom(5), ...noWaits });
  const channel = new FakeChannel(policy);
  channel.update(endpoints(3));
  channel.connect();
  const streams = Array.from({ length: 60 }, () => take(channel));
  await turn();
  await pass(clock, 10_001);
  channel.update(endpoints(4));
  channel.connect(joined);
  const counts = spread(channel, 600);
  for (const stream of streams) stream.end();
  closeChannel(channel, clock);
  return counts[joined] ?? 0;
}

test("least_request: idle streams do not count after 10 s, so that an endpoint that joins gets its share of unary calls", async () => {
  const calls = await callsToJoined({ least_request: {} });
  assert.ok(calls >= 110 && calls <= 190, `want about 150 of 600 calls, got ${calls}`);
});

test("least_request: with longCallAfter 0s every call counts to its end", async () => {
  const calls = await callsToJoined({ least_request: { longCallAfter: "0s" } });
  assert.ok(calls >= 260, `want half of 600 calls or more, got ${calls}`);
});

test("peak_ewma: the length of a stream is not a latency, and the length of a failed call is", async () => {
  for (const [status, wantCalls] of [
    [0, true],
    [4, false],
  ] as const) {
    const clock = new ManualClock();
    registerPoliciesIn({ clock, random: createRandom(5), ...noWaits });
    const channel = new FakeChannel({ peak_ewma: {} });
    channel.update(endpoints(2));
    channel.connect();
    const [stream, other] = [take(channel), take(channel)];
    assert.notEqual(stream.address, other.address);
    clock.advance(10);
    other.end();
    await turn();
    await pass(clock, 10_001);
    await pass(clock, 50_000);
    stream.end(status);
    const counts = spread(channel, 200);
    assert.equal((counts[stream.address] ?? 0) > 50, wantCalls, `status ${status}: ${JSON.stringify(counts)}`);
    closeChannel(channel, clock);
  }
});

test("the timer of long calls ends with the channel, and a call that ends later is not counted twice", async () => {
  const clock = new ManualClock();
  registerPoliciesIn({ clock, random: createRandom(5), ...noWaits });
  const channel = new FakeChannel({ least_request: {} });
  channel.update(endpoints(2));
  channel.connect();
  const calls = [take(channel), take(channel)];
  await turn();
  await pass(clock, 10_001);
  for (const call of calls) call.end();
  const counts = spread(channel, 400);
  for (const count of Object.values(counts)) assert.ok(count > 150, `want even shares, got ${JSON.stringify(counts)}`);
  take(channel);
  closeChannel(channel, clock);
});
