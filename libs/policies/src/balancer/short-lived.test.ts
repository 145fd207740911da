import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { type TestContext, test } from "node:test";
import { Metadata } from "@grpc/grpc-js";
import { createRandom } from "@grpc-lb/core";
import { ManualClock, turn, until } from "@grpc-lb/core/testing";
import { ClosingPeer, closings } from "../../testing/closing-peer.ts";
import { closeChannel, endpoints } from "../../testing/fake-calls.ts";
import { FakeChannel } from "../../testing/fake-channel.ts";
import { call, Rig } from "../../testing/rig.ts";
import { connectivityState } from "../grpc-js.ts";
import { registerPoliciesIn } from "../registration/register.ts";
import { type ConnectionMessage, policyChannels } from "./diagnostics.ts";

const { CONNECTING, IDLE, READY, TRANSIENT_FAILURE } = connectivityState;
const [one, two] = ["10.0.0.1:80", "10.0.0.2:80"] as const;

/** Lets time pass in steps of 1 ms, and everything that waits for it. */
async function pass(clock: ManualClock, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed++) {
    clock.advance(1);
    await turn();
  }
  await turn();
  await turn();
}

/** A channel whose endpoint `one` closes each connection as soon as it is open. @returns when it was connected to, in ms */
async function connectTimes(seed: number, ms: number): Promise<number[]> {
  const clock = new ManualClock();
  registerPoliciesIn({ clock, random: createRandom(seed) });
  const channel = new FakeChannel({ random: {} });
  channel.update(endpoints(2));
  channel.connect(two);
  const startMs = clock.now();
  const times: number[] = [];
  for (let passed = 0; passed < ms; passed++) {
    const subchannel = channel.at(one);
    if (subchannel.state === CONNECTING) {
      times.push(clock.now() - startMs);
      subchannel.become(READY);
      subchannel.become(IDLE);
    }
    await pass(clock, 1);
  }
  closeChannel(channel, clock);
  return times;
}

test("a peer that closes each connection at once is connected to with a growing backoff, at most 10 times in 4 s", async () => {
  const [first, second] = [await connectTimes(1, 4_000), await connectTimes(2, 4_000)];
  for (const times of [first, second]) {
    assert.ok(times.length >= 4 && times.length <= 10, `want 4 to 10 connections in 4 s, got ${times.length}`);
    const gaps = times.slice(1).map((time, n) => time - (times[n] ?? 0));
    assert.ok((gaps[0] ?? 0) >= 80, `want a pause of 80 ms or more after the first connection, got ${gaps}`);
    for (const [n, gap] of gaps.slice(1).entries()) assert.ok(gap > (gaps[n] ?? 0), `want growing pauses, got ${gaps}`);
  }
  assert.notDeepEqual(first, second, "the pauses have jitter");
});

test("calls avoid a connection that follows a short-lived one until it has lasted for a second", async () => {
  const clock = new ManualClock();
  registerPoliciesIn({ clock, random: createRandom(1) });
  const channel = new FakeChannel({ random: {} });
  const picked = () => [...new Set(Array.from({ length: 50 }, () => channel.pick(new Metadata())?.address))].sort();
  channel.update(endpoints(2));
  channel.connect();
  channel.at(one).become(IDLE);
  await pass(clock, 150);
  channel.connect(one);
  await pass(clock, 990);
  assert.deepEqual(picked(), [two]);
  await pass(clock, 20);
  assert.deepEqual(picked(), [one, two]);
  channel.at(one).become(IDLE);
  await turn();
  assert.equal(channel.at(one).state, CONNECTING, "a connection that has lasted is replaced at once");
  closeChannel(channel, clock);
});

test("a server that closes each connection at an age of 1 s ± 10 % gets a new connection at once, each time", async () => {
  const clock = new ManualClock();
  registerPoliciesIn({ clock, random: createRandom(1) });
  const channel = new FakeChannel({ random: {} });
  channel.update(endpoints(1));
  for (const ageMs of [900, 950, 900, 1_100, 900]) {
    channel.connect();
    assert.equal(channel.state, READY);
    clock.advance(ageMs);
    channel.at(one).become(IDLE);
    await turn();
    assert.deepEqual([channel.state, channel.at(one).state], [CONNECTING, CONNECTING], `after ${ageMs} ms`);
  }
  closeChannel(channel, clock);
});

test("with one endpoint, calls wait after its first short-lived connection and fail with the reason after more", async () => {
  const clock = new ManualClock();
  registerPoliciesIn({ clock, random: createRandom(1) });
  const channel = new FakeChannel({ random: {} });
  channel.update(endpoints(1));
  channel.connect();
  channel.at(one).become(IDLE);
  assert.equal(channel.state, CONNECTING);
  await pass(clock, 150);
  channel.connect();
  channel.at(one).become(IDLE);
  assert.equal(channel.state, TRANSIENT_FAILURE);
  assert.match(channel.message ?? "", /10\.0\.0\.1:80 closed the connection right after it was opened/);
  await pass(clock, 250);
  assert.equal(channel.at(one).state, CONNECTING, "it is tried again");
  closeChannel(channel, clock);
});

test("a channel that is closed during the backoff leaves no timer", async () => {
  const clock = new ManualClock();
  registerPoliciesIn({ clock, random: createRandom(1) });
  const channel = new FakeChannel({ random: {} });
  channel.update(endpoints(2));
  channel.connect();
  channel.at(one).become(IDLE);
  closeChannel(channel, clock);
  await pass(clock, 1_000);
  assert.notEqual(channel.at(one).state, CONNECTING);
});

/** The longest wait for the next attempt, in milliseconds: its backoff with jitter. */
const maxBackoffMs = 150_000;

test("real servers: no call fails beside peers that close each connection at once", async (t) => {
  const clock = new ManualClock();
  registerPoliciesIn({ clock });
  const peers = await Promise.all((Object.keys(closings) as (keyof typeof closings)[]).map(ClosingPeer.start));
  t.after(() => Promise.all(peers.map((peer) => peer.close())));
  const rig = new Rig(t);
  const [good] = await rig.start("good");
  const closed = countClosed(t);
  rig.target.publish([...peers.map(({ endpoint }) => endpoint), good.endpoint]);
  const client = rig.client({ least_request: {} });
  const calls: Promise<string>[] = [];
  const send = () => calls.push(call(client).catch(String));
  for (let round = 1; round <= 3; round++) {
    // Time stands still while the connections open and close: none of them counts as settled.
    await until(() => {
      if (calls.length < round * 500) send();
      return peers.every((peer) => closed(peer) === round);
    }, `each peer's connection is closed ${round} times`);
    clock.advance(maxBackoffMs);
    send();
  }
  assert.deepEqual([...new Set(await Promise.all(calls))], ["good"]);
});

/** Counts how often the client has lost its connection to a peer. */
function countClosed(t: TestContext): (peer: ClosingPeer) => number {
  const closed: string[] = [];
  const listener = (message: unknown) => {
    const { endpoint, isOpen } = message as ConnectionMessage;
    if (!isOpen) closed.push(endpoint.address);
  };
  subscribe(policyChannels.connection, listener);
  t.after(() => unsubscribe(policyChannels.connection, listener));
  return ({ address }) => closed.filter((each) => each === address).length;
}
