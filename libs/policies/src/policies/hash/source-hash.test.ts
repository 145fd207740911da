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
import type { FakeCall, FakeChannel } from "../../../testing/fake-channel.ts";
import { noWaits } from "../../../testing/no-waits.ts";
import { connectivityState } from "../../grpc-js.ts";
import { registerPoliciesIn } from "../../registration/register.ts";

const clock = new ManualClock();
registerPoliciesIn({ clock, random: createRandom(1), ...noWaits });

const { IDLE, TRANSIENT_FAILURE } = connectivityState;
const [one, two, three, four] = ["10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80", "10.0.0.4:80"] as const;

/** A client of that key: the header stands for the pod's uid. */
function clientOf(key: string): Metadata {
  const metadata = new Metadata();
  metadata.set("client", key);
  return metadata;
}

const keyed = (config: object = {}) => ({ source_hash: { requestHashHeader: "client", ...config } });

function underWay(calls: readonly FakeCall[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { address } of calls) counts[address] = (counts[address] ?? 0) + 1;
  return counts;
}

/** Takes calls and holds each endpoint to its bound after each of them. */
function fill(channel: FakeChannel, calls: number, bound: (address: string, underWay: number) => number): FakeCall[] {
  const all: FakeCall[] = [];
  for (let n = 1; n <= calls; n++) {
    all.push(take(channel, clientOf("me")));
    for (const [address, count] of Object.entries(underWay(all))) {
      const most = bound(address, n);
      assert.ok(count <= most, `${address} after ${n} calls: want at most ${most}, got ${count}`);
    }
  }
  return all;
}

test("sequential calls stay with one endpoint, with the client's own key and with a header", () => {
  for (const policy of [{ source_hash: {} }, { source_hash: { key: "hostname" } }, keyed()]) {
    const channel = openChannel(policy, endpoints(10));
    const counts = spread(channel, 500, clientOf("me"));
    assert.deepEqual(Object.values(counts), [500]);
    channel.update(endpoints(10).reverse());
    assert.deepEqual(spread(channel, 500, clientOf("me")), counts, "in another order");
    closeChannel(channel, clock);
  }
});

test("with concurrent calls no endpoint has more than the balance factor times the mean, rounded up", () => {
  for (const balanceFactor of [1, 1.25, 2]) {
    const channel = openChannel(keyed({ balanceFactor }), endpoints(7));
    const calls = fill(channel, 700, (_, total) => Math.ceil((balanceFactor * total) / 7));
    const most = Math.max(...Object.values(underWay(calls)));
    assert.equal(most, balanceFactor * 100, "the bound is used");
    for (const call of calls) call.end();
    closeChannel(channel, clock);
  }
});

test("the default factor is 1.25, and the first endpoint gets as many calls as it allows", () => {
  const channel = openChannel(keyed(), endpoints(4));
  const home = take(channel, clientOf("me"));
  const calls = [home, ...fill(channel, 99, () => 100)];
  assert.equal(underWay(calls)[home.address], 32, "25 * 1.25 = 31.25, rounded up");
  for (const call of calls) call.end();
  assert.equal(take(channel, clientOf("me")).address, home.address, "and is home again when the calls have ended");
  closeChannel(channel, clock);
});

test("the bound follows the weight, and an endpoint of weight 0 takes nothing", () => {
  const shares: Record<string, number> = { [two]: 1 / 6, [three]: 2 / 6, [four]: 3 / 6 };
  for (const balanceFactor of [1, 1.25, 2]) {
    const channel = openChannel(
      keyed({ balanceFactor }),
      endpoints(4, (place) => ({ weight: place })),
    );
    const most = (address: string, total: number) => Math.ceil(balanceFactor * total * (shares[address] ?? 0) - 1e-9);
    const counts = underWay(fill(channel, 600, most));
    if (balanceFactor === 1) assert.deepEqual(counts, { [two]: 100, [three]: 200, [four]: 300 });
    const full = Object.keys(counts).filter((address) => counts[address] === most(address, 600));
    assert.ok(
      full.length >= 1,
      `factor ${balanceFactor}: want the first in line at its bound, got ${JSON.stringify(counts)}`,
    );
    channel.update(endpoints(4, (place) => ({ weight: place === 2 ? 1 : 0 })));
    assert.deepEqual(Object.keys(underWay(fill(channel, 50, () => 50))), [three], "the only one with weight");
    closeChannel(channel, clock);
  }
});

test("a bound that rounding puts slightly above an integer makes no room for one more call", () => {
  const weights = { [one]: 7, [two]: 93 }; // 0.07 * 100 > 7
  const channel = openChannel(keyed({ balanceFactor: 1, weights }), endpoints(2));
  for (let key = 0; key < 100; key++) {
    const calls = Array.from({ length: 100 }, () => take(channel, clientOf(`key-${key}`)));
    assert.deepEqual(underWay(calls), weights, `key-${key}`);
    for (const call of calls) call.end();
  }
  closeChannel(channel, clock);
});

test("balance factor 0 keeps any number of calls on one endpoint", () => {
  const channel = openChannel(keyed({ balanceFactor: 0 }), endpoints(5));
  assert.equal(Object.keys(underWay(fill(channel, 1_000, () => 1_000))).length, 1);
  closeChannel(channel, clock);
});

test("clients with different keys spread over all endpoints", () => {
  const channel = openChannel(keyed(), endpoints(5));
  const counts: Record<string, number> = {};
  for (let i = 0; i < 20_000; i++) {
    const [address = ""] = Object.keys(spread(channel, 1, clientOf(`3f2a-${i}`)));
    counts[address] = (counts[address] ?? 0) + 1;
  }
  assertShares(counts, Object.fromEntries([1, 2, 3, 4, 5].map((n) => [`10.0.0.${n}:80`, 1])));
  closeChannel(channel, clock);
});

test("with key random a client has no key of its own", () => {
  const channel = openChannel({ source_hash: { key: "random" } }, endpoints(3));
  assertShares(spread(channel, 9_000), { [one]: 1, [two]: 1, [three]: 1 });
  closeChannel(channel, clock);
});

test("clients of an endpoint that cannot be reached go to the others, come back, and no other client moves", () => {
  const channel = openChannel(keyed(), endpoints(5));
  const homes = () => Array.from({ length: 2_000 }, (_, i) => Object.keys(spread(channel, 1, clientOf(`c${i}`)))[0]);
  const before = homes();
  channel.at(two).become(TRANSIENT_FAILURE, "refused");
  const during = homes();
  assert.deepEqual(
    during.filter((_, i) => before[i] !== two),
    before.filter((address) => address !== two),
  );
  const took = new Set(during.filter((_, i) => before[i] === two));
  assert.deepEqual([...took].sort(), [one, three, four, "10.0.0.5:80"]);
  channel.at(two).become(IDLE);
  channel.connect(two);
  assert.deepEqual(homes(), before);
  closeChannel(channel, clock);
});

test("when one of ten endpoints leaves, its own clients move and almost no others", () => {
  const channel = openChannel(keyed(), endpoints(10));
  const homes = () => Array.from({ length: 10_000 }, (_, i) => Object.keys(spread(channel, 1, clientOf(`c${i}`)))[0]);
  const before = homes();
  channel.update(endpoints(10).slice(1));
  const after = homes();
  const part = before.filter((address, i) => address !== after[i]).length / before.length;
  assert.ok(part > 0.05 && part <= 0.12, `want at most 1/n + 2 %, got ${part}`);
  closeChannel(channel, clock);
});

test("endpoints that are not connected do not raise the bound", () => {
  const channel = openChannel(keyed({ balanceFactor: 1 }), endpoints(4));
  channel.at(one).become(TRANSIENT_FAILURE, "refused");
  channel.at(two).become(TRANSIENT_FAILURE, "refused");
  assert.deepEqual(underWay(fill(channel, 100, (_, total) => Math.ceil(total / 2))), {
    [three]: 50,
    [four]: 50,
  });
  closeChannel(channel, clock);
});

test("calls in flight on endpoints that have left or cannot be reached do not raise the bound", () => {
  const most = (calls: readonly FakeCall[]) => Math.max(...Object.values(underWay(calls)));
  for (const [what, leave] of [
    ["left", (channel: FakeChannel) => channel.update(endpoints(8).slice(4))],
    [
      "lost",
      (channel: FakeChannel) => {
        for (const address of [one, two, three, four]) channel.at(address).become(TRANSIENT_FAILURE, "refused");
      },
    ],
  ] as const) {
    const channel = openChannel(keyed(), endpoints(8));
    const before = Array.from({ length: 800 }, (_, n) => take(channel, clientOf(`c${n}`)));
    leave(channel);
    const elsewhere = before.filter(({ address }) => address <= four);
    for (const call of before) if (!elsewhere.includes(call)) call.end();
    assert.ok(elsewhere.length >= 300, `want many calls under way elsewhere, got ${elsewhere.length}`);
    const during = fill(channel, 100, (_, total) => Math.ceil((1.25 * total) / 4));
    assert.equal(most(during), 32, `${what}: want 25 * 1.25 rounded up, got ${JSON.stringify(underWay(during))}`);
    for (const call of elsewhere) call.end();
    const after = [...during, ...Array.from({ length: 100 }, () => take(channel, clientOf("me")))];
    assert.equal(most(after), 63, `${what}: want 50 * 1.25 rounded up when they have ended`);
    for (const call of after) call.end();
    closeChannel(channel, clock);
  }
});

test("the calls in flight on an endpoint that comes back count again", () => {
  const channel = openChannel(keyed({ balanceFactor: 1 }), endpoints(2));
  const calls = fill(channel, 100, (_, total) => Math.ceil(total / 2));
  channel.at(one).become(TRANSIENT_FAILURE, "refused");
  const alone = take(channel, clientOf("me"));
  assert.equal(alone.address, two);
  channel.at(one).become(IDLE);
  channel.connect(one);
  assert.equal(take(channel, clientOf("me")).address, one, "which has 50 of 101");
  for (const call of [...calls, alone]) call.end();
  closeChannel(channel, clock);
});

test("an invalid configuration is refused with the field's name", () => {
  const fields = "balanceFactor, key, longCallAfter, panicThreshold, requestHashHeader, weightKey, weights";
  assertRefused("source_hash", [
    [{ balanceFactor: 0.99 }, "balanceFactor must be 0 or >= 1, got 0.99"],
    [{ balance_factor: -1 }, "balanceFactor must be a number >= 0, got -1"],
    [{ balanceFactor: "x" }, 'balanceFactor must be a number >= 0, got "x"'],
    [
      { requestHashHeader: "session-bin" },
      'requestHashHeader must be the name of a text header (gRFC A76), got "session-bin"',
    ],
    [{ key: "cookie" }, 'key must be one of random, pod_uid, hostname, address, got "cookie"'],
    [{ slowStart: {} }, `unknown field slowStart; known fields: ${fields}`],
  ]);
});
