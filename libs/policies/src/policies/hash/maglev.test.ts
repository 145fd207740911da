import assert from "node:assert/strict";
import { test } from "node:test";
import { Metadata } from "@grpc/grpc-js";
import { createRandom } from "@grpc-lb/core";
import { ManualClock } from "@grpc-lb/core/testing";
import {
  assertRefused,
  assertShares,
  closeChannel,
  endpoints,
  openChannel,
  spread,
  take,
} from "../../../testing/fake-calls.ts";
import { endpoint, type FakeChannel } from "../../../testing/fake-channel.ts";
import { noWaits } from "../../../testing/no-waits.ts";
import { connectivityState } from "../../grpc-js.ts";
import { registerPoliciesIn } from "../../registration/register.ts";

const clock = new ManualClock();
registerPoliciesIn({ clock, random: createRandom(1), ...noWaits });

const { IDLE, TRANSIENT_FAILURE } = connectivityState;
const [one, two, three] = ["10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"] as const;
const json = (config: object = {}) => ({ maglev: { requestHashHeader: "session", ...config } });

function keyed(...keys: readonly string[]): Metadata {
  const metadata = new Metadata();
  for (const key of keys) metadata.add("session", key);
  return metadata;
}

/** Where each of so many keys goes. */
function owners(channel: FakeChannel, keys = 10_000): string[] {
  return Array.from({ length: keys }, (_, i) => channel.pick(keyed(`key-${i}`))?.address ?? "nowhere");
}

/** The part of the keys that go elsewhere. */
function movedPart(before: readonly string[], after: readonly string[]): number {
  return before.filter((address, i) => address !== after[i]).length / before.length;
}

/** The part of the keys that move when one of ten endpoints leaves, or comes back, and no other than its own may. */
function moved(config: object, count = 10): { leaving: number; joining: number; others: number } {
  const all = endpoints(count);
  const channel = openChannel(json(config), all);
  const before = owners(channel);
  channel.update(all.slice(1));
  const without = owners(channel);
  channel.update(all);
  channel.connect(one);
  const back = owners(channel);
  closeChannel(channel, clock);
  assert.deepEqual(back, before, "all keys come back");
  const others = before.filter((address, i) => address !== one && address !== without[i]).length / before.length;
  return { leaving: movedPart(before, without), joining: movedPart(without, back), others };
}

const hasUsed = (channel: FakeChannel, counts: Record<string, number>) =>
  [...channel.subchannels.keys()].filter((address) => (counts[address] ?? 0) > 0).sort();

test("calls with the same key go to the same endpoint, and keys spread over all", () => {
  const channel = openChannel(json(), endpoints(3));
  for (const key of ["a", "b", "c"]) assert.equal(Object.keys(spread(channel, 50, keyed(key))).length, 1, key);
  assert.equal(new Set(owners(channel, 100)).size, 3);
  closeChannel(channel, clock);
});

test("a key keeps its endpoint through another order, an equal configuration and reconnects of other endpoints", () => {
  const channel = openChannel(json(), endpoints(5));
  const before = owners(channel, 1_000);
  channel.update(endpoints(5).reverse());
  assert.deepEqual(owners(channel, 1_000), before, "another order");
  channel.update(endpoints(5), json());
  assert.deepEqual(owners(channel, 1_000), before, "an equal configuration");
  channel.at(two).become(IDLE);
  const others = (list: readonly string[]) => list.filter((_, i) => before[i] !== two);
  assert.deepEqual(others(owners(channel, 1_000)), others(before), "without the second");
  channel.connect(two);
  assert.deepEqual(owners(channel, 1_000), before, "with it again");
  closeChannel(channel, clock);
});

test("the keys of an endpoint that cannot be reached move to all others and back, and no other key moves", () => {
  const channel = openChannel(json(), endpoints(5));
  const before = owners(channel);
  channel.at(two).become(TRANSIENT_FAILURE, "refused");
  const during = owners(channel);
  const took: Record<string, number> = {};
  for (const [i, address] of during.entries()) {
    if (before[i] === two) took[address] = (took[address] ?? 0) + 1;
    else assert.equal(address, before[i], `key-${i}`);
  }
  assert.deepEqual(hasUsed(channel, took), [one, three, "10.0.0.4:80", "10.0.0.5:80"]);
  const most = Math.max(...Object.values(took)) / Object.values(took).reduce((a, b) => a + b);
  assert.ok(most < 0.4, `want none of four to take much more than a quarter of them, got ${most}`);
  channel.at(two).become(IDLE);
  channel.connect(two);
  assert.deepEqual(owners(channel), before);
  closeChannel(channel, clock);
});

test("two clients with the same endpoints agree, for any order and random source", () => {
  const channel = openChannel(json(), endpoints(5));
  registerPoliciesIn({ clock, random: createRandom(99), ...noWaits });
  const other = openChannel(json(), endpoints(5).reverse());
  assert.deepEqual(owners(other, 1_000), owners(channel, 1_000));
  closeChannel(channel, clock);
  closeChannel(other, clock);
});

test("several values of the header are one key, joined by commas", () => {
  const channel = openChannel(json(), endpoints(50));
  for (let i = 0; i < 20; i++) {
    assert.equal(take(channel, keyed(`a${i}`, "b")).address, take(channel, keyed(`a${i},b`)).address);
  }
  assert.ok(Array.from({ length: 20 }, (_, i) => take(channel, keyed(`a${i}`, "b")).address).some((a) => a !== one));
  closeChannel(channel, clock);
});

test("calls without the header are spread at random, or go by the client's own key", () => {
  const channel = openChannel(json(), endpoints(3));
  const counts = spread(channel, 3_000);
  assert.deepEqual(Object.keys(counts).sort(), [one, two, three]);
  channel.update(endpoints(3), json({ key: "hostname" }));
  assert.equal(Object.keys(spread(channel, 100)).length, 1);
  closeChannel(channel, clock);
});

test("an endpoint keeps its keys when its address changes, if its source names a key for it", () => {
  const named = (address: string, i: number) =>
    endpoint(address, { id: `pod-${i}`, metadata: { hashKey: `pod-${i}` } });
  const channel = openChannel(json(), [one, two, three].map(named));
  const before = owners(channel, 1_000);
  channel.update([one, "10.0.9.9:80", three].map(named));
  channel.connect("10.0.9.9:80");
  assert.deepEqual(
    owners(channel, 1_000),
    before.map((address) => (address === two ? "10.0.9.9:80" : address)),
  );
  closeChannel(channel, clock);
});

test("an endpoint of weight 0 has no key while others have weight and can be reached", () => {
  const weighted = (weights: readonly number[]) => endpoints(3, (place) => ({ weight: weights[place] ?? 0 }));
  const channel = openChannel(json(), weighted([1, 0, 1]));
  assert.deepEqual([...new Set(owners(channel, 1_000))].sort(), [one, three]);
  channel.update(weighted([0, 0, 0]));
  assert.deepEqual([...new Set(owners(channel, 1_000))].sort(), [one, two, three], "all 0 are equal");
  channel.update(weighted([1, 0, 0]));
  assert.deepEqual([...new Set(owners(channel, 1_000))], [one]);
  channel.at(one).become(TRANSIENT_FAILURE, "refused");
  const without = owners(channel, 1_000);
  assert.deepEqual([...new Set(without)].sort(), [two, three], "and these share what is left");
  channel.update(weighted([1, 0, 0]).reverse());
  assert.deepEqual(owners(channel, 1_000), without, "by the key, not by their order");
  closeChannel(channel, clock);
});

test("keys follow the weights to within one percent", () => {
  const channel = openChannel(
    json(),
    endpoints(3, (place) => ({ weight: place + 1 })),
  );
  const counts: Record<string, number> = {};
  for (const address of owners(channel, 60_000)) counts[address] = (counts[address] ?? 0) + 1;
  assertShares(counts, { [one]: 1, [two]: 2, [three]: 3 });
  closeChannel(channel, clock);
});

test("keys are spread evenly; on a ring the busiest endpoint has a quarter more than the mean", () => {
  const most = (policy: string) => {
    const channel = openChannel({ [policy]: { requestHashHeader: "session" } }, endpoints(20));
    const counts: Record<string, number> = {};
    for (const address of owners(channel, 40_000)) counts[address] = (counts[address] ?? 0) + 20 / 40_000;
    closeChannel(channel, clock);
    return Math.max(...Object.values(counts));
  };
  const [table, ring] = [most("maglev"), most("ring_hash")];
  assert.ok(table < 1.08, `want the busiest below 1.08 of the mean, got ${table}`);
  assert.ok(ring > 1.15, `the ring: want the test to tell them apart, got ${ring}`);
});

test("an endpoint that leaves or joins moves its own keys and almost no others", () => {
  for (const count of [3, 10, 20]) {
    const { leaving, joining, others } = moved({}, count);
    assert.ok(leaving > 0 && leaving <= 1 / count + 0.02, `of ${count}: want at most 1/n + 2 %, got ${leaving}`);
    assert.ok(others < 0.01, `of ${count}: want under 1 % of others' keys, got ${others}`);
    assert.equal(joining, leaving);
  }
});

test("a smaller table is less even and moves more", () => {
  const { others } = moved({ tableSize: 101 });
  const { others: fewer } = moved({});
  assert.ok(others > 4 * fewer, `want clearly more than ${fewer}, got ${others}`);
});

test("with more endpoints than slots the table grows, and each endpoint has keys", () => {
  const channel = openChannel(json({ tableSize: 3 }), endpoints(300));
  assert.equal(new Set(owners(channel, 20_000)).size, 300);
  closeChannel(channel, clock);
});

test("an invalid configuration is refused with the field's name", () => {
  const fields = "key, panicThreshold, requestHashHeader, tableSize, weightKey, weights";
  assertRefused("maglev", [
    [{ tableSize: 65_536 }, "tableSize must be a prime, got 65536"],
    [{ table_size: 9 }, "tableSize must be a prime, got 9"],
    [{ tableSize: 2 }, "tableSize must be an integer from 3 to 5000011, got 2"],
    [{ tableSize: 5_000_077 }, "tableSize must be an integer from 3 to 5000011, got 5000077"],
    [
      { requestHashHeader: "session-bin" },
      'requestHashHeader must be the name of a text header (gRFC A76), got "session-bin"',
    ],
    [{ key: "cookie" }, 'key must be one of random, pod_uid, hostname, address, got "cookie"'],
    [{ slowStart: {} }, `unknown field slowStart; known fields: ${fields}`],
  ]);
});
