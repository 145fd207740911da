import assert from "node:assert/strict";
import { test } from "node:test";
import { createRandom } from "@grpc-lb/core";
import { ManualClock } from "@grpc-lb/core/testing";
import {
  assertRefused,
  assertShares,
  ClosedLoop,
  closeChannel,
  endpoints,
  openChannel,
  spread,
  take,
} from "../../testing/fake-calls.ts";
import type { FakeChannel } from "../../testing/fake-channel.ts";
import { noWaits } from "../../testing/no-waits.ts";
import { connectivityState } from "../grpc-js.ts";
import { registerPoliciesIn } from "../registration/register.ts";

const clock = new ManualClock();
const seeds = [1, 2, 2026];

const [one, two, three] = ["10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"] as const;

/** Calls of one tick: picked before any of them has started, and none ends. */
function burst(channel: FakeChannel, calls: number): Record<string, number> {
  const counts: Record<string, number> = {};
  const begun = Array.from({ length: calls }, () => take(channel));
  for (const { address } of begun) counts[address] = (counts[address] ?? 0) + 1;
  return counts;
}

const gap = (counts: Readonly<Record<string, number>>) => {
  const all = Object.values(counts);
  return Math.max(...all) - Math.min(...all);
};

test("a burst in one tick over two endpoints is halved exactly", () => {
  for (const seed of seeds) {
    registerPoliciesIn({ clock, random: createRandom(seed), ...noWaits });
    const channel = openChannel({ least_request: {} }, endpoints(2));
    assert.deepEqual(burst(channel, 1_000), { [one]: 500, [two]: 500 });
    closeChannel(channel, clock);
  }
});

test("a burst in one tick gives each endpoint one or two calls when choiceCount is the number of endpoints", () => {
  for (const seed of seeds) {
    registerPoliciesIn({ clock, random: createRandom(seed), ...noWaits });
    for (const [count, choiceCount, most] of [
      [3, 10, 1],
      [3, 3, 2],
      [5, 10, 2],
      [10, 10, 2],
    ] as const) {
      const channel = openChannel({ least_request: { choiceCount } }, endpoints(count));
      const counts = burst(channel, 100 * count);
      assert.equal(Object.keys(counts).length, count);
      assert.ok(gap(counts) <= most, `${choiceCount} of ${count}: want a gap <= ${most}, got ${Object.values(counts)}`);
      closeChannel(channel, clock);
    }
  }
});

test("with two choices none of a hundred endpoints is far above the mean; with one choice some are", () => {
  for (const seed of seeds) {
    registerPoliciesIn({ clock, random: createRandom(seed), ...noWaits });
    const most = (policy: string) => {
      const channel = openChannel({ [policy]: {} }, endpoints(100));
      const counts = burst(channel, 10_000);
      closeChannel(channel, clock);
      return Math.max(...Object.values(counts));
    };
    const [two, one] = [most("least_request"), most("random")];
    assert.ok(two <= 104, `two choices: want at most 104 with a mean of 100, got ${two}`);
    assert.ok(one >= 115, `one choice: want the test to tell them apart, got ${one}`);
  }
});

test("without calls in flight all endpoints have the same probability", () => {
  for (const seed of seeds) {
    registerPoliciesIn({ clock, random: createRandom(seed), ...noWaits });
    for (const choiceCount of [2, 3, 10]) {
      const channel = openChannel({ least_request: { choiceCount } }, endpoints(3));
      assertShares(spread(channel, 15_000), { [one]: 1, [two]: 1, [three]: 1 });
      closeChannel(channel, clock);
    }
  }
});

test("without calls in flight shares follow the weights", () => {
  for (const seed of seeds) {
    registerPoliciesIn({ clock, random: createRandom(seed), ...noWaits });
    for (const choiceCount of [2, 5]) {
      const channel = openChannel(
        { least_request: { choiceCount } },
        endpoints(4, (place) => ({ weight: place })),
      );
      assertShares(spread(channel, 30_000), { [two]: 1, [three]: 2, "10.0.0.4:80": 3 });
      closeChannel(channel, clock);
    }
  }
});

test("under load the calls in flight are in proportion to the weights", () => {
  registerPoliciesIn({ clock, random: createRandom(1), ...noWaits });
  const channel = openChannel({ least_request: {} }, [...endpoints(3, (place) => ({ weight: 2 * place + 1 }))]);
  const counts = burst(channel, 9_000);
  for (const [address, want] of [
    [one, 1_000],
    [two, 3_000],
    [three, 5_000],
  ] as const) {
    assert.ok(Math.abs((counts[address] ?? 0) - want) <= 10, `${address}: want ${want} +- 10, got ${counts[address]}`);
  }
  closeChannel(channel, clock);
});

test("an endpoint of weight 0 gets no call while others have weight, however busy they are", () => {
  registerPoliciesIn({ clock, random: createRandom(1), ...noWaits });
  const channel = openChannel(
    { least_request: { choiceCount: 10 } },
    endpoints(3, (place) => ({ weight: place === 0 ? 1 : 0 })),
  );
  assert.deepEqual(burst(channel, 2_000), { [one]: 2_000 });
  channel.at(one).become(connectivityState.TRANSIENT_FAILURE, "refused");
  assert.deepEqual(burst(channel, 2_000), { [two]: 1_000, [three]: 1_000 });
  closeChannel(channel, clock);
});

test("more than ten choices count as ten", () => {
  const chosen = (choiceCount: number) => {
    registerPoliciesIn({ clock, random: createRandom(5), ...noWaits });
    const channel = openChannel({ least_request: { choiceCount } }, endpoints(30));
    const addresses = Array.from({ length: 300 }, () => take(channel).address);
    closeChannel(channel, clock);
    return addresses;
  };
  assert.deepEqual(chosen(11), chosen(10));
  assert.deepEqual(chosen(1_000), chosen(10));
  assert.notDeepEqual(chosen(9), chosen(10));
});

test("with a single endpoint a pick takes one random number", () => {
  let draws = 0;
  registerPoliciesIn({ clock, random: () => (draws++ % 10) / 10, ...noWaits });
  const channel = openChannel({ least_request: { choiceCount: 10 } }, endpoints(1));
  draws = 0;
  assert.deepEqual(spread(channel, 100), { [one]: 100 });
  assert.equal(draws, 100);
  closeChannel(channel, clock);
});

test("a frozen endpoint holds its share of the calls in flight and a few more, and all other calls continue", () => {
  for (const seed of seeds) {
    registerPoliciesIn({ clock, random: createRandom(seed), ...noWaits });
    const channel = openChannel({ least_request: {} }, endpoints(3));
    const loop = new ClosedLoop(channel, clock);
    loop.run({ calls: 3_000, concurrency: 30, answers: (address) => (address === two ? undefined : { ms: 10 }) });
    // It takes one more whenever both of the others happen to have more, which becomes rare soon.
    assert.ok(loop.frozen.length <= 14, `seed ${seed}: want at most a third of 30 and 4, got ${loop.frozen.length}`);
    assert.equal((loop.started[one] ?? 0) + (loop.started[three] ?? 0), 3_000 - loop.frozen.length);
    for (const call of loop.frozen) call.end();
    closeChannel(channel, clock);
  }
});

test("under load an endpoint that is ten times as slow gets a tenth of the calls", () => {
  for (const seed of seeds) {
    registerPoliciesIn({ clock, random: createRandom(seed), ...noWaits });
    const channel = openChannel({ least_request: {} }, endpoints(3));
    const loop = new ClosedLoop(channel, clock);
    loop.run({ calls: 6_000, concurrency: 60, answers: (address) => ({ ms: address === two ? 100 : 10 }) });
    const share = (loop.started[two] ?? 0) / 6_000;
    assert.ok(share > 0.04 && share < 0.06, `seed ${seed}: want 1/21 of the calls, got ${share}`);
    closeChannel(channel, clock);
  }
});

test("a new endpoint is not flooded during slow start, although it has no calls in flight", () => {
  registerPoliciesIn({ clock, random: createRandom(1), ...noWaits });
  const counts = (config: object) => {
    const channel = openChannel({ least_request: config }, endpoints(2));
    clock.advance(30_000);
    for (let n = 0; n < 100; n++) take(channel);
    channel.update(endpoints(3));
    channel.connect(three);
    const { [three]: came = 0 } = burst(channel, 30);
    closeChannel(channel, clock);
    return came;
  };
  const [cold, flooded] = [counts({ slowStart: {} }), counts({})];
  assert.ok(flooded >= 15, `without slow start: want the test to tell them apart, got ${flooded} of 30`);
  assert.ok(cold <= 6, `want at most a tenth of 50 and 1, got ${cold} of 30`);
});

test("an invalid configuration is refused with the field's name", () => {
  assertRefused("least_request", [
    [{ choiceCount: 1 }, "choiceCount must be an integer >= 2, got 1"],
    [{ choice_count: 2.5 }, "choiceCount must be an integer >= 2, got 2.5"],
    [{ choiceCount: "x" }, 'choiceCount must be an integer >= 2, got "x"'],
    [{ choiceCount: 2, choice_count: 2 }, "choiceCount is given twice, as choiceCount and as choice_count"],
    [
      { choices: 2 },
      "unknown field choices; known fields: choiceCount, longCallAfter, panicThreshold, slowStart, weightKey, weights",
    ],
    [{ weights: { a: -1 } }, 'weights["a"] must be a number from 0 to 4294967295, got -1'],
  ]);
});
