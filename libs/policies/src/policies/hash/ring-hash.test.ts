import assert from "node:assert/strict";
import { test } from "node:test";
import { Metadata } from "@grpc/grpc-js";
import { createRandom } from "@grpc-lb/core";
import { ManualClock } from "@grpc-lb/core/testing";
import { assertRefused, closeChannel, endpoints, openChannel, spread, take } from "../../../testing/fake-calls.ts";
import { endpoint, type FakeChannel } from "../../../testing/fake-channel.ts";
import { noWaits } from "../../../testing/no-waits.ts";
import { connectivityState, type GrpcEndpoint } from "../../grpc-js.ts";
import { registerPoliciesIn } from "../../registration/register.ts";
import { HashRing } from "./ring.ts";
import { sizesOf } from "./ring-hash.ts";

const clock = new ManualClock();
registerPoliciesIn({ clock, random: createRandom(1), ...noWaits });

const { IDLE, TRANSIENT_FAILURE } = connectivityState;
const [one, two, three] = ["10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"] as const;
const json = (config: object = {}) => ({ ring_hash: { requestHashHeader: "session", ...config } });

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

/** The part of the keys that move when one endpoint leaves, or comes back, and of those the keys that were not its own. */
function moved(config: object, count = 10, place = 0): { leaving: number; joining: number; others: number } {
  const all = endpoints(count);
  const leaver = `10.0.0.${place + 1}:80`;
  const channel = openChannel(json(config), all);
  const before = owners(channel);
  channel.update(all.toSpliced(place, 1));
  const without = owners(channel);
  channel.update(all);
  channel.connect(leaver);
  const back = owners(channel);
  closeChannel(channel, clock);
  assert.deepEqual(back, before, "all keys come back");
  const others = before.filter((address, i) => address !== leaver && address !== without[i]).length / before.length;
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

/** The part of the keys that each has, against its share. */
function loads(config: object, all: readonly GrpcEndpoint[]): Record<string, number> {
  const channel = openChannel(json(config), all);
  const counts: Record<string, number> = {};
  for (const address of owners(channel, 20_000)) counts[address] = (counts[address] ?? 0) + 1 / 20_000;
  closeChannel(channel, clock);
  return counts;
}

test("keys follow the weights", () => {
  const counts = loads(
    {},
    endpoints(3, (place) => ({ weight: place + 1 })),
  );
  for (const [address, share] of [
    [one, 1 / 6],
    [two, 2 / 6],
    [three, 3 / 6],
  ] as const) {
    const got = counts[address] ?? 0;
    assert.ok(Math.abs(got - share) < 0.15 * share, `${address}: want ${share} +- 15 %, got ${got}`);
  }
});

test("with the sizes of gRFC A42, when one of ten endpoints leaves, its own keys move and half as many others", () => {
  const each = Array.from({ length: 10 }, (_, place) => moved({}, 10, place));
  const mean = (part: "leaving" | "joining" | "others") => each.reduce((sum, all) => sum + all[part], 0) / 10;
  assert.ok(mean("leaving") > 0.155 && mean("leaving") < 0.175, `leaving: want about 16 %, got ${mean("leaving")}`);
  assert.equal(mean("joining"), mean("leaving"));
  assert.ok(mean("others") > 0.05 && mean("others") < 0.07, `keys of others: want about 6 %, got ${mean("others")}`);
});

test("with entriesPerEndpoint an endpoint that leaves or joins moves only its own keys", () => {
  for (const [count, entriesPerEndpoint] of [
    [3, 400],
    [10, 160],
    [20, 100],
  ] as const) {
    const { leaving, joining, others } = moved({ entriesPerEndpoint }, count);
    assert.equal(others, 0);
    assert.ok(leaving > 0 && leaving <= 1 / count + 0.02, `of ${count}: want at most 1/n + 2 %, got ${leaving}`);
    assert.equal(joining, leaving);
  }
});

test("entriesPerEndpoint is halved until the ring has at most 65536 entries, whatever the weights", () => {
  const owned = (config: object, weights: readonly number[]) => {
    const channel = openChannel(
      json(config),
      endpoints(3, (place) => ({ weight: weights[place] ?? 0 })),
    );
    const list = owners(channel, 2_000);
    closeChannel(channel, clock);
    return list;
  };
  // 2001 * 100 entries are more than three times too many, and so a quarter is left.
  const weights = [1, 1_000, 1_000];
  assert.deepEqual(owned({ entriesPerEndpoint: 100 }, weights), owned({ entriesPerEndpoint: 25 }, weights));
  assert.notDeepEqual(owned({ entriesPerEndpoint: 25 }, weights), owned({ entriesPerEndpoint: 20 }, weights));
  for (const [heavy, entriesPerEndpoint] of [
    [1e3, 100],
    [1e6, 100],
    [2 ** 32 - 1, 4_096],
  ] as const) {
    const members = [1, heavy, heavy].map((weight, place) => ({ key: `pod-${place}`, weight }));
    const { size } = new HashRing(members, sizesOf(members, { minRingSize: 1, maxRingSize: 1, entriesPerEndpoint }));
    assert.ok(size > 32_768 && size <= 65_536, `1:${heavy}: want at most 65536 entries, got ${size}`);
  }
});

test("when one of a thousand endpoints leaves, only its own keys move, also on a ring that was halved", () => {
  const { leaving, others } = moved({ entriesPerEndpoint: 100 }, 1_000, 3);
  assert.equal(others, 0);
  assert.ok(leaving <= 1 / 1_000 + 0.02, `want at most 1/n + 2 %, got ${leaving}`);
});

test("entriesPerEndpoint applies to the smallest weight, and shares follow the weights", () => {
  const all = endpoints(3, (place) => ({ weight: [0.5, 1, 0][place] ?? 0 }));
  const got = loads({ entriesPerEndpoint: 500 }, all);
  assert.deepEqual(Object.keys(got).sort(), [one, two]);
  assert.ok(Math.abs((got[one] ?? 0) - 1 / 3) < 0.05, `want a third, got ${got[one]}`);
});

test("more entries spread keys more evenly", () => {
  const most = (config: object) => 20 * Math.max(...Object.values(loads(config, endpoints(20))));
  const [few, many] = [most({ minRingSize: 20, maxRingSize: 20 }), most({ entriesPerEndpoint: 3_200 })];
  assert.ok(few > 1.5, `one entry each: want the busiest above 1.5 of the mean, got ${few}`);
  assert.ok(many < 1.1, `3200 entries each: want the busiest below 1.1 of the mean, got ${many}`);
});

test("sizes above 4096 count as 4096, and sizes up to 8 million are valid", () => {
  const at = (config: object) => {
    const channel = openChannel(json(config), endpoints(7));
    const list = owners(channel, 5_000);
    closeChannel(channel, clock);
    return list;
  };
  const capped = at({ minRingSize: 4_096, maxRingSize: 4_096 });
  assert.deepEqual(at({ minRingSize: 8_388_608, maxRingSize: 8_388_608 }), capped);
  assert.notDeepEqual(at({ minRingSize: 4_095 - 7, maxRingSize: 4_096 }), capped);
  assert.deepEqual(at({}), at({ minRingSize: 1_024, maxRingSize: 4_096 }), "the defaults");
});

test("an endpoint that has no entry on a small ring takes calls when it is the only one left", () => {
  const channel = openChannel(json({ minRingSize: 1, maxRingSize: 1 }), endpoints(3));
  const [owner = ""] = new Set(owners(channel, 100));
  channel.at(owner).become(TRANSIENT_FAILURE, "refused");
  const [next = "", ...more] = new Set(owners(channel, 100));
  assert.ok(next !== owner && more.length === 0 && next !== "nowhere", `want one of the others, got ${next}, ${more}`);
  closeChannel(channel, clock);
});

test("an invalid configuration is refused with the field's name", () => {
  const fields =
    "entriesPerEndpoint, key, maxRingSize, minRingSize, panicThreshold, requestHashHeader, weightKey, weights";
  assertRefused("ring_hash", [
    [{ minRingSize: 0 }, "minRingSize must be an integer from 1 to 8388608, got 0"],
    [{ minRingSize: 8_388_609 }, "minRingSize must be an integer from 1 to 8388608, got 8388609"],
    [{ maxRingSize: 8_388_609 }, "maxRingSize must be an integer from 1 to 8388608, got 8388609"],
    [{ minRingSize: 5_000 }, "minRingSize must be <= maxRingSize, got 5000 and 4096"],
    [{ max_ring_size: 1_000 }, "minRingSize must be <= maxRingSize, got 1024 and 1000"],
    [{ entriesPerEndpoint: 0 }, "entriesPerEndpoint must be an integer from 1 to 4096, got 0"],
    [{ entriesPerEndpoint: 4_097 }, "entriesPerEndpoint must be an integer from 1 to 4096, got 4097"],
    [
      { requestHashHeader: "session-bin" },
      'requestHashHeader must be the name of a text header (gRFC A76), got "session-bin"',
    ],
    [{ key: "cookie" }, 'key must be one of random, pod_uid, hostname, address, got "cookie"'],
    [{ slowStart: {} }, `unknown field slowStart; known fields: ${fields}`],
  ]);
});
