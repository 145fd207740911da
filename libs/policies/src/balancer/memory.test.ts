import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { createRandom } from "@grpc-lb/core";
import { ManualClock } from "@grpc-lb/core/testing";
import { assertShares, closeChannel, endpoints, spread, take } from "../../testing/fake-calls.ts";
import { FakeChannel } from "../../testing/fake-channel.ts";
import { connectivityState, type PolicyJson } from "../grpc-js.ts";
import { registerPoliciesIn } from "../registration/register.ts";

const addresses = ["10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"] as const;
const [a, b, c] = addresses;
const equal = { [a]: 1, [b]: 1, [c]: 1 };

/** Time passes, and connections settle. */
async function pass(clock: ManualClock, ms: number): Promise<void> {
  clock.advance(ms);
  for (let turns = 0; turns < 5; turns++) await turn();
}

async function open(policy: PolicyJson, clock: ManualClock): Promise<FakeChannel> {
  registerPoliciesIn({ clock, random: createRandom(3) });
  const channel = new FakeChannel(policy);
  channel.update(endpoints(3));
  channel.connect();
  await pass(clock, 2_000);
  return channel;
}

/** The endpoint `b` leaves the list and comes back later. */
async function flap(channel: FakeChannel, clock: ManualClock, awayMs: number): Promise<void> {
  const all = endpoints(3);
  channel.update(all.toSpliced(1, 1));
  channel.at(b).become(connectivityState.IDLE);
  await pass(clock, awayMs);
  channel.update(all);
  channel.connect(b);
  await pass(clock, 10);
}

for (const policy of ["least_request", "peak_ewma"]) {
  test(`${policy}: calls in flight count after an endpoint left the list for 0.4 s`, async () => {
    const clock = new ManualClock();
    const channel = await open({ [policy]: {} }, clock);
    const slow = Array.from({ length: 30 }, () => take(channel));
    const before: Record<string, number> = {};
    for (const { address } of slow) before[address] = (before[address] ?? 0) + 1;
    assertShares(before, equal);
    await flap(channel, clock, 400);
    const next = Array.from({ length: 30 }, () => take(channel));
    const after = next.filter(({ address }) => address === b).length;
    assert.ok(after >= 6 && after <= 14, `want about 10 of 30 calls on the endpoint that came back, got ${after}`);
    for (const call of [...slow, ...next]) call.end();
    closeChannel(channel, clock);
  });
}

test("peak_ewma: a latency is remembered for 5 s after an endpoint has left the list, and not longer", async () => {
  for (const [awayMs, isRemembered] of [
    [4_000, true],
    [6_000, false],
  ] as const) {
    const clock = new ManualClock();
    const channel = await open({ peak_ewma: { decay: "60s" } }, clock);
    const calls = new Map<string, ReturnType<typeof take>>();
    for (let n = 0; n < 50 && calls.size < 3; n++) {
      const call = take(channel);
      if (calls.has(call.address)) call.end(1);
      else calls.set(call.address, call);
    }
    clock.advance(10);
    for (const address of [a, c]) calls.get(address)?.end();
    clock.advance(1_000);
    calls.get(b)?.end();
    await flap(channel, clock, awayMs);
    const counts = spread(channel, 100);
    if (isRemembered) assert.equal(counts[b] ?? 0, 0, "it is known to be slow");
    else assert.ok((counts[b] ?? 0) > 0, "it is tried as a new endpoint");
    closeChannel(channel, clock);
  }
});

test("slow start goes on through a reconnect within 5 s, and starts again after a longer absence", async () => {
  for (const [awayMs, want] of [
    [1_000, 100],
    [6_000, 10],
  ] as const) {
    const clock = new ManualClock();
    const slowStart = { window: "30s", minWeightPercent: 10 };
    const channel = await open({ weighted_round_robin: { source: "static", slowStart } }, clock);
    await pass(clock, 60_000);
    channel.at(b).become(connectivityState.IDLE);
    await pass(clock, awayMs);
    channel.connect(b);
    await pass(clock, 100);
    const counts = spread(channel, 210);
    const percent = ((counts[b] ?? 0) / (counts[a] ?? 0)) * 100;
    assert.ok(Math.abs(percent - want) < 8, `want ${want} % of the others' calls after ${awayMs} ms, got ${percent}`);
    closeChannel(channel, clock);
  }
});

test("an endpoint that leaves the list before it is connected has its slow start when it comes back", async () => {
  const clock = new ManualClock();
  const slowStart = { window: "30s", minWeightPercent: 10 };
  const channel = await open({ weighted_round_robin: { source: "static", slowStart } }, clock);
  await pass(clock, 60_000);
  const added = "10.0.0.4:80";
  channel.update(endpoints(4));
  channel.update(endpoints(3));
  channel.update(endpoints(4));
  channel.connect(added);
  await pass(clock, 10);
  const counts = spread(channel, 310);
  assert.ok((counts[added] ?? 0) < 20, `want a tenth of the others' calls, got ${JSON.stringify(counts)}`);
  closeChannel(channel, clock);
});

test("removing an endpoint is not a short-lived connection", async () => {
  const clock = new ManualClock();
  const channel = await open({ random: {} }, clock);
  for (let flaps = 0; flaps < 3; flaps++) await flap(channel, clock, 10);
  await pass(clock, 10);
  assertShares(spread(channel, 3_000), equal);
  closeChannel(channel, clock);
});
