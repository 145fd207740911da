import assert from "node:assert/strict";
import { test } from "node:test";
import { Metadata } from "@grpc/grpc-js";
import { createRandom } from "@grpc-lb/core";
import { ManualClock, turn } from "@grpc-lb/core/testing";
import { assertShares, closeChannel, endpoints, openChannel, spread, take } from "../../testing/fake-calls.ts";
import { FakeChannel } from "../../testing/fake-channel.ts";
import { noWaits } from "../../testing/no-waits.ts";
import { connectivityState, type PolicyJson } from "../grpc-js.ts";
import { policyNames, registerPoliciesIn } from "../registration/register.ts";
import { defaultTiming } from "./connection-timing.ts";

const { READY } = connectivityState;
const count = 5;
const equalShares = Object.fromEntries(Array.from({ length: count }, (_, n) => [`10.0.0.${n + 1}:80`, 1]));

/** A policy for which all endpoints are alike: hash policies without a key, `subset` with a key for each channel. */
function policyOf(name: string, seed: number): PolicyJson {
  if (name === "subset")
    return { subset: { subsetSize: 2, clientKey: `client-${seed}`, childPolicy: [{ random: {} }] } };
  if (name === "locality") return { locality: { childPolicy: [{ random: {} }] } };
  return { [name]: name === "source_hash" ? { key: "random" } : {} };
}

/**
 * Where the first calls of a new channel go. They wait, as in grpc-js, until the policy publishes a picker.
 *
 * @param connects how many connections come up, in the order in which the policy starts them; the others hang
 */
async function firstCalls(policy: PolicyJson, seed: number, calls: number, connects: number): Promise<string[]> {
  const clock = new ManualClock();
  registerPoliciesIn({ clock, random: createRandom(seed) });
  const channel = new FakeChannel(policy);
  channel.update(endpoints(count));
  const addresses: string[] = [];
  const sendWaiting = () => {
    if (channel.state !== READY) return;
    for (; addresses.length < calls; ) addresses.push(take(channel).address);
  };
  const [first = "", ...others] = [...channel.subchannels.keys()].slice(0, connects);
  channel.connect(first);
  await settle(clock);
  sendWaiting();
  for (const address of others) {
    channel.connect(address);
    sendWaiting();
  }
  await settle(clock);
  sendWaiting();
  clock.advance(100);
  await turn();
  sendWaiting();
  closeChannel(channel, clock);
  return addresses;
}

/** New connections take calls once they have settled. */
async function settle(clock: ManualClock, ms = 3): Promise<void> {
  clock.advance(ms);
  for (let turns = 0; turns < 5; turns++) await turn();
}

/** The calls of new channels, by endpoint. Each channel has its own seed, from 1. */
async function countCalls(
  name: string,
  { channels, calls, connects }: { readonly channels: number; readonly calls: number; readonly connects: number },
): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (let seed = 1; seed <= channels; seed++) {
    const addresses = await firstCalls(policyOf(name, seed), seed, calls, connects);
    assert.equal(addresses.length, calls, "all calls are sent");
    for (const address of addresses) counts[address] = (counts[address] ?? 0) + 1;
  }
  return counts;
}

for (const name of policyNames) {
  test(`${name}: the first calls of 500 new channels go to random endpoints`, async () => {
    assertShares(await countCalls(name, { channels: 500, calls: 1, connects: count }), equalShares);
  });

  test(`${name}: so do first calls while only one endpoint of each channel connects`, async () => {
    assertShares(await countCalls(name, { channels: 200, calls: 1, connects: 1 }), equalShares);
  });

  // The calls of one channel are not independent where it uses a part of the endpoints.
  if (name !== "subset") {
    test(`${name}: the first 10 calls of a channel, sent at once, go to all endpoints`, async () => {
      // The endpoints' shares of a ring differ from each other: that of one channel is the expectation for all.
      registerPoliciesIn({ clock: new ManualClock(), random: createRandom(1), ...noWaits });
      const isRing = name === "ring_hash";
      const shares = isRing ? spread(openChannel({ ring_hash: {} }, endpoints(count)), 100_000) : equalShares;
      assertShares(await countCalls(name, { channels: 100, calls: 10, connects: count }), shares);
    });
  }
}

test("a hash policy sends the first call of a key where all further ones go", async () => {
  for (const name of ["ring_hash", "maglev", "source_hash"]) {
    const clock = new ManualClock();
    for (let key = 0; key < 100; key++) {
      registerPoliciesIn({ clock, random: createRandom(key) });
      const metadata = new Metadata();
      metadata.set("x-key", `key-${key}`);
      const channel = new FakeChannel({ [name]: { requestHashHeader: "x-key" } });
      channel.update(endpoints(count));
      let first: string | undefined;
      const sendFirst = () => {
        if (channel.state !== READY || first !== undefined) return;
        const call = take(channel, metadata);
        first = call.address;
        call.end();
      };
      for (const address of channel.subchannels.keys()) {
        channel.connect(address);
        await settle(clock, 1);
        sendFirst();
      }
      await settle(clock, 100);
      sendFirst();
      assert.equal(first, take(channel, metadata).address, `${name}: key-${key}`);
      closeChannel(channel, clock);
    }
  }
});

test("first calls wait for further connections as long again as the first one took, between 10 and 100 ms", async () => {
  for (const [tookMs, waitMs] of [
    [1, 10],
    [40, 40],
    [5_000, 100],
  ] as const) {
    const clock = new ManualClock();
    registerPoliciesIn({ clock, random: createRandom(1) });
    const channel = new FakeChannel({ random: {} });
    channel.update(endpoints(2));
    clock.advance(tookMs);
    channel.connect("10.0.0.1:80");
    await settle(clock, waitMs - 0.5);
    assert.equal(
      channel.pick(new Metadata()),
      undefined,
      `${waitMs - 0.5} ms after a connection that took ${tookMs} ms`,
    );
    await settle(clock, 0.5);
    assert.equal(channel.pick(new Metadata())?.address, "10.0.0.1:80", `${waitMs} ms after it`);
    closeChannel(channel, clock);
  }
});

test("in a process too busy to settle connections in time, an endpoint that has taken calls keeps taking calls", async () => {
  const clock = new ManualClock();
  registerPoliciesIn({ clock, random: createRandom(1) });
  const channel = new FakeChannel({ random: {} });
  channel.update(endpoints(3));
  clock.advance(1);
  for (const address of ["10.0.0.1:80", "10.0.0.2:80"]) channel.connect(address);
  clock.advance(11); // both should have settled, and the first calls have waited long enough; but no turn has passed
  channel.connect("10.0.0.3:80");
  const taken = new Set<string>();
  for (let turns = 0; turns < 10; turns++) {
    if (turns > 5) clock.advance(10);
    await turn();
    const picked = channel.state === READY ? Object.keys(spread(channel, 200)) : [];
    for (const address of taken) assert.ok(picked.includes(address), `${address} takes no more calls, turn ${turns}`);
    for (const address of picked) taken.add(address);
  }
  assert.equal(taken.size, 3);
  closeChannel(channel, clock);
});

test("first calls do not go to a peer that closes its connection within 20 ms, even when to open it took that long", async () => {
  const [good, closing] = ["10.0.0.1:80", "10.0.0.2:80"] as const;
  for (const first of [good, closing]) {
    const clock = new ManualClock();
    registerPoliciesIn({ clock, random: createRandom(1) });
    const channel = new FakeChannel({ random: {} });
    channel.update(endpoints(2));
    clock.advance(30);
    channel.connect(first);
    await settle(clock, 20); // the second one opens before the first calls are sent
    channel.connect(first === good ? closing : good);
    await settle(clock, 19);
    assert.equal(channel.pick(new Metadata()), undefined, `49 ms, ${first} first`);
    channel.at(closing).become(connectivityState.IDLE);
    await settle(clock, 1);
    assert.deepEqual(Object.keys(spread(channel, 50)), [good], `${first} first`);
    closeChannel(channel, clock);
  }
});

test("first calls do not wait for an endpoint that cannot be reached", async () => {
  const clock = new ManualClock();
  registerPoliciesIn({ clock, random: createRandom(1) });
  const channel = new FakeChannel({ random: {} });
  channel.update(endpoints(2));
  channel.connect("10.0.0.1:80");
  channel.at("10.0.0.2:80").become(connectivityState.TRANSIENT_FAILURE, "connection refused");
  await settle(clock);
  assert.equal(channel.pick(new Metadata())?.address, "10.0.0.1:80");
  closeChannel(channel, clock);
});

test("an endpoint that joins takes calls once its connection has lasted for 3 ms, and makes no call wait", async () => {
  const clock = new ManualClock();
  registerPoliciesIn({ clock, random: createRandom(1) });
  const channel = new FakeChannel({ random: {} });
  channel.update(endpoints(1));
  channel.connect("10.0.0.1:80");
  channel.update(endpoints(3));
  assert.equal(channel.pick(new Metadata())?.address, "10.0.0.1:80");
  channel.connect("10.0.0.2:80");
  await settle(clock, 2);
  assert.deepEqual(Object.keys(spread(channel, 50)), ["10.0.0.1:80"]);
  await settle(clock, 1);
  assert.deepEqual(Object.keys(spread(channel, 50)).sort(), ["10.0.0.1:80", "10.0.0.2:80"]);
  closeChannel(channel, clock);
});

test("an update while a connection settles does not keep its endpoint from calls", async () => {
  const clock = new ManualClock();
  registerPoliciesIn({ clock, random: createRandom(1) });
  // It puts a new object around a connection with each update of the options, as grpc-js-xds does.
  const channel = new FakeChannel({ outlier_detection: { childPolicy: [{ random: {} }] } });
  const update = (count: number, generation: number) =>
    channel.update(endpoints(count), undefined, { "test.generation": generation });
  update(1, 1);
  channel.connect("10.0.0.1:80");
  update(2, 2);
  channel.connect("10.0.0.2:80");
  await settle(clock, 2);
  update(2, 3);
  assert.deepEqual(Object.keys(spread(channel, 50)), ["10.0.0.1:80"]);
  await settle(clock, 1);
  assert.deepEqual(Object.keys(spread(channel, 50)).sort(), ["10.0.0.1:80", "10.0.0.2:80"]);
  closeChannel(channel, clock);
});

test("a connection that replaces one within its 3 ms lasts for 3 ms itself before it takes calls", async () => {
  const clock = new ManualClock();
  registerPoliciesIn({ clock, random: createRandom(1), timing: { ...defaultTiming, minLifetimeMs: 0 } });
  const channel = new FakeChannel({ random: {} });
  channel.update(endpoints(1));
  channel.connect("10.0.0.1:80");
  channel.update(endpoints(2));
  channel.connect("10.0.0.2:80");
  await settle(clock, 2);
  channel.at("10.0.0.2:80").become(connectivityState.IDLE);
  await turn();
  channel.connect("10.0.0.2:80");
  await settle(clock, 2);
  assert.deepEqual(Object.keys(spread(channel, 50)), ["10.0.0.1:80"]);
  await settle(clock, 1);
  assert.deepEqual(Object.keys(spread(channel, 50)).sort(), ["10.0.0.1:80", "10.0.0.2:80"]);
  closeChannel(channel, clock);
});
