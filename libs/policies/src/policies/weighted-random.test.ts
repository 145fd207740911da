import assert from "node:assert/strict";
import { test } from "node:test";
import { createRandom } from "@grpc-lb/core";
import { ManualClock } from "@grpc-lb/core/testing";
import { assertRefused, assertShares, closeChannel, endpoints, openChannel, spread } from "../../testing/fake-calls.ts";
import { endpoint } from "../../testing/fake-channel.ts";
import { noWaits } from "../../testing/no-waits.ts";
import { turn } from "../../testing/rig.ts";
import { connectivityState } from "../grpc-js.ts";
import { registerPoliciesIn } from "../registration/register.ts";

const clock = new ManualClock();
registerPoliciesIn({ clock, random: createRandom(1), ...noWaits });

const { IDLE, TRANSIENT_FAILURE } = connectivityState;
const [one, two, three, four] = ["10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80", "10.0.0.4:80"] as const;

test("endpoints get calls in proportion to discovery's weights, for several seeds", () => {
  for (const seed of [1, 2, 2026]) {
    registerPoliciesIn({ clock, random: createRandom(seed), ...noWaits });
    const channel = openChannel(
      { weighted_random: {} },
      endpoints(4, (place) => ({ weight: [1, 2, 0, 5][place] ?? 0 })),
    );
    assertShares(spread(channel, 40_000), { [one]: 1, [two]: 2, [three]: 0, [four]: 5 });
    closeChannel(channel, clock);
  }
});

test("weights by id, address, host or pod name override discovery's", () => {
  const channel = openChannel({ weighted_random: { weights: { "pod-1": 4, [two]: 3, "10.0.0.3": 2, api: 0 } } }, [
    endpoint(one, { id: "pod-1", weight: 9 }),
    endpoint(two, { weight: 9 }),
    endpoint(three, { weight: 9 }),
    endpoint(four, { weight: 9, metadata: { podName: "api" } }),
    endpoint("10.0.0.5:80", { weight: 1 }),
  ]);
  assertShares(spread(channel, 40_000), { [one]: 4, [two]: 3, [three]: 2, [four]: 0, "10.0.0.5:80": 1 });
  closeChannel(channel, clock);
});

test("weightKey names the metadata with the weight; an invalid weight counts as 1", () => {
  const written = ["3", "2.5", "", "heavy", "-1", "0"];
  const channel = openChannel(
    { weighted_random: { weightKey: "share" } },
    endpoints(7, (place) => ({ weight: 9, metadata: place < 6 ? { share: written[place] ?? "" } : {} })),
  );
  const want = Object.fromEntries([3, 2.5, 1, 1, 1, 0, 1].map((share, i) => [`10.0.0.${i + 1}:80`, share]));
  assertShares(spread(channel, 60_000), want);
  closeChannel(channel, clock);
});

test("with a weightKey that is an inherited property, all endpoints have the default weight", () => {
  for (const weightKey of ["constructor", "toString", "__proto__"]) {
    const channel = openChannel({ weighted_random: { weightKey } }, endpoints(2));
    assertShares(spread(channel, 5_000), { [one]: 1, [two]: 1 });
    closeChannel(channel, clock);
  }
});

test("weights that are all 0 count as equal, also when only endpoints of weight 0 are connected", () => {
  const channel = openChannel(
    { weighted_random: {} },
    endpoints(3, () => ({ weight: 0 })),
  );
  assertShares(spread(channel, 15_000), { [one]: 1, [two]: 1, [three]: 1 });
  channel.update(endpoints(3, (place) => ({ weight: place === 0 ? 1 : 0 })));
  assertShares(spread(channel, 1_000), { [one]: 1 });
  channel.at(one).become(TRANSIENT_FAILURE, "refused");
  assertShares(spread(channel, 10_000), { [two]: 1, [three]: 1 });
  closeChannel(channel, clock);
});

test("weights with an infinite sum are clamped", () => {
  const channel = openChannel(
    { weighted_random: { weightKey: "share" } },
    endpoints(2, () => ({ metadata: { share: "1e308" } })),
  );
  assertShares(spread(channel, 10_000), { [one]: 1, [two]: 1 });
  closeChannel(channel, clock);
});

test("a change of weights counts at once and costs no connection", () => {
  const channel = openChannel({ weighted_random: {} }, endpoints(2));
  assertShares(spread(channel, 10_000), { [one]: 1, [two]: 1 });
  const { held } = channel;
  channel.update(endpoints(2, (place) => ({ weight: place === 0 ? 1 : 4 })));
  assertShares(spread(channel, 10_000), { [one]: 1, [two]: 4 });
  channel.update(endpoints(2), { weighted_random: { weights: { [one]: 3 } } });
  assertShares(spread(channel, 10_000), { [one]: 3, [two]: 1 });
  assert.deepEqual(channel.held, held);
  closeChannel(channel, clock);
});

test("a new endpoint reaches its share over the window as time passes, and then no timer is left", async () => {
  for (const { slowStart, shares } of [
    { slowStart: { window: "10s" }, shares: [0.1, 0.2, 0.5, 0.9, 1] },
    { slowStart: { window: "10s", aggression: 2 }, shares: [0.1, 0.2 ** 0.5, 0.5 ** 0.5, 0.9 ** 0.5, 1] },
    { slowStart: { window: "10s", minWeightPercent: 60 }, shares: [0.6, 0.6, 0.6, 0.9, 1] },
    { slowStart: { window: "10s", aggression: 0.5, minWeightPercent: 0 }, shares: [1e-8, 0.04, 0.25, 0.81, 1] },
  ]) {
    const channel = openChannel({ weighted_random: { slowStart } }, endpoints(2));
    await advance(10_000);
    assert.equal(clock.sleeping, 0, "the first two are warm");
    channel.update(endpoints(3, (place) => ({ weight: place === 2 ? 2 : 1 })));
    channel.connect(three);
    for (const [i, elapsedMs] of [0, 2_000, 3_000, 4_000, 1_000].entries()) {
      await advance(elapsedMs);
      const share = 2 * (shares[i] ?? 0);
      const wanted = share > 1e-7 ? { [one]: 1, [two]: 1, [three]: share } : { [one]: 1, [two]: 1 };
      assertShares(spread(channel, 20_000), wanted);
    }
    assert.equal(clock.sleeping, 0, "all are warm");
    closeChannel(channel, clock);
  }
});

test("endpoints that are all new have their full shares at once", () => {
  const channel = openChannel(
    { weighted_random: { slowStart: { minWeightPercent: 0, aggression: 0.01 } } },
    endpoints(3, (place) => ({ weight: place + 1 })),
  );
  assertShares(spread(channel, 5_000), { [one]: 1, [two]: 1, [three]: 1 }); // e-447 of a weight is 0, for each of them
  channel.update(
    endpoints(3, (place) => ({ weight: place + 1 })),
    { weighted_random: { slowStart: {} } },
  );
  assertShares(spread(channel, 20_000), { [one]: 1, [two]: 2, [three]: 3 });
  closeChannel(channel, clock);
});

test("slow start begins again after a reconnect, and its timer ends with the channel", async () => {
  const channel = openChannel({ weighted_random: { slowStart: { window: "10s" } } }, endpoints(2));
  await advance(10_000);
  channel.at(two).become(IDLE);
  channel.connect(two);
  assertShares(spread(channel, 20_000), { [one]: 1, [two]: 0.1 });
  assert.equal(clock.sleeping, 1);
  closeChannel(channel, clock);
});

test("an invalid configuration is refused with the field's name", () => {
  const fields = "panicThreshold, slowStart, weightKey, weights";
  assertRefused("weighted_random", [
    [{ weight: {} }, `unknown field weight; known fields: ${fields}`],
    [{ weights: [] }, "weights must be an object of numbers, got []"],
    [{ weights: { a: -1 } }, 'weights["a"] must be a number from 0 to 4294967295, got -1'],
    [{ weights: { a: "x" } }, 'weights["a"] must be a number from 0 to 4294967295, got "x"'],
    [{ weights: { a: 1e308 } }, 'weights["a"] must be a number from 0 to 4294967295, got 1e+308'],
    [{ weightKey: "" }, 'weightKey must be a non-empty string, got ""'],
    [{ slowStart: 10 }, "slowStart must be an object, got 10"],
    [{ slowStart: { window: 10 } }, "slowStart.window must be a duration such as 10s or 0.3s >= 1ms, got 10"],
    [{ slowStart: { window: "0s" } }, 'slowStart.window must be a duration such as 10s or 0.3s >= 1ms, got "0s"'],
    [{ slowStart: { aggression: 0 } }, "slowStart.aggression must be a number > 0, got 0"],
    [{ slowStart: { minWeightPercent: 101 } }, "slowStart.minWeightPercent must be a number from 0 to 100, got 101"],
    [{ slowStart: { speed: 1 } }, "unknown field slowStart.speed; known fields: aggression, minWeightPercent, window"],
    [{ panicThreshold: -1 }, "panicThreshold must be a number from 0 to 100, got -1"],
  ]);
});

/** Moves time on as it passes: in steps, so that each wait that comes due may be followed by the next. */
async function advance(ms: number): Promise<void> {
  for (let step = 0; step < 10; step++) {
    clock.advance(ms / 10);
    await turn();
  }
}
