import assert from "node:assert/strict";
import { test } from "node:test";
import { createRandom } from "@grpc-lb/core";
import { ManualClock } from "@grpc-lb/core/testing";
import { ClosedLoop, closeChannel, endpoints, openChannel } from "../../../testing/fake-calls.ts";
import type { FakeChannel } from "../../../testing/fake-channel.ts";
import { noWaits } from "../../../testing/no-waits.ts";
import { turn } from "../../../testing/rig.ts";
import type { PolicyJson } from "../../grpc-js.ts";
import { registerPoliciesIn } from "../../registration/register.ts";

const clock = new ManualClock();
const seeds = [1, 2, 2026];
const noSlowOne = -1;

/** The policies that use weights and calls in flight, in several configurations. */
const policies: readonly PolicyJson[] = [
  { least_request: {} },
  { least_request: { choiceCount: 5 } },
  { peak_ewma: {} },
];

interface Load {
  /** The number of concurrent calls. */
  readonly concurrency: number;
  readonly calls: number;
  /** The place of the endpoint that takes 100 ms for a call; the others take 10 ms, give or take a tenth. */
  readonly slow: number;
}

/** The share of the calls that each endpoint has, by its place. */
function sharesOf(policy: PolicyJson, weights: readonly number[], load: Load, seed: number): number[] {
  registerPoliciesIn({ clock, random: createRandom(seed), ...noWaits });
  const all = endpoints(weights.length, (place) => ({ weight: weights[place] ?? 0 }));
  const channel = openChannel(policy, all);
  const shares = run(channel, weights.length, load, seed);
  closeChannel(channel, clock);
  return shares;
}

function run(channel: FakeChannel, count: number, { concurrency, calls, slow }: Load, seed: number): number[] {
  const noise = createRandom(seed + 7);
  const loop = new ClosedLoop(channel, clock);
  const ms = (address: string) => (address === `10.0.0.${slow + 1}:80` ? 100 : 10) * (0.9 + 0.2 * noise());
  loop.run({ calls, concurrency, answers: (address) => ({ ms: ms(address) }) });
  return Array.from({ length: count }, (_, place) => (loop.started[`10.0.0.${place + 1}:80`] ?? 0) / calls);
}

const percent = (share: number) => `${(share * 100).toFixed(1)} %`;

test("with equal latencies shares are near the weights, with 1 concurrent call and with 64", () => {
  for (const policy of policies) {
    for (const weights of [
      [1, 1],
      [2, 1],
      [3, 1],
      [10, 1],
      [1, 1, 1, 1],
      [2, 1, 2, 1],
      [3, 1, 3, 1],
      [10, 1, 10, 1],
    ]) {
      for (const [concurrency, bound] of [
        [1, 0.08],
        [2, 0.12],
        [4, 0.3],
        [16, 0.2],
        [64, 0.1],
      ] as const) {
        const light = weights.length - 1;
        const got = seeds.map((seed) => {
          const load = { concurrency, calls: 6_000, slow: noSlowOne };
          return sharesOf(policy, weights, load, seed)[light] ?? 0;
        });
        const mean = got.reduce((a, b) => a + b) / got.length;
        const want = (weights[light] ?? 0) / weights.reduce((a, b) => a + b);
        const what = `${JSON.stringify(policy)}, ${weights.join(":")}, ${concurrency} at once`;
        assert.ok(
          Math.abs(mean / want - 1) <= bound,
          `${what}: want ${percent(want)} give or take ${bound * 100} % of it for the light one, got ${got.map(percent)}`,
        );
      }
    }
  }
});

test("least_request: with one endpoint ten times as slow, shares under load follow weight and capacity", () => {
  for (const weights of [
    [1, 1],
    [2, 1],
    [3, 1],
    [10, 1],
  ]) {
    for (const slow of [0, 1]) {
      const load = { concurrency: 64, calls: 6_000, slow };
      const capabilities = weights.map((weight, place) => (place === slow ? weight / 10 : weight));
      const want = (capabilities[slow] ?? 0) / capabilities.reduce((a, b) => a + b);
      for (const seed of seeds) {
        const got = sharesOf({ least_request: {} }, weights, load, seed)[slow] ?? 0;
        const what = `seed ${seed}, ${weights.join(":")}, number ${slow} is slow`;
        assert.ok(Math.abs(got / want - 1) <= 0.25, `${what}: want ${percent(want)} +- 25 %, got ${percent(got)}`);
      }
    }
  }
});

test("least_request: with few concurrent calls a slow endpoint gets less than its weight", () => {
  for (const [weights, slow, concurrency, most] of [
    [[2, 1], 1, 4, 0.1],
    [[3, 1], 0, 4, 0.3],
    [[10, 1], 1, 4, 0.04],
    [[2, 1, 2, 1], 0, 4, 0.12],
    [[3, 1, 3, 1], 0, 4, 0.15],
    [[10, 1, 10, 1], 0, 4, 0.15],
    [[10, 1, 10, 1], 0, 16, 0.12],
  ] as const) {
    for (const seed of seeds) {
      const got = sharesOf({ least_request: {} }, weights, { concurrency, calls: 6_000, slow }, seed)[slow] ?? 0;
      const what = `seed ${seed}, ${weights.join(":")}, number ${slow} is slow, ${concurrency} at once`;
      assert.ok(got > 0 && got <= most, `${what}: want at most ${percent(most)}, got ${percent(got)}`);
    }
  }
});

test("peak_ewma: with few concurrent calls an endpoint that is ten times as slow gets almost none, whatever its weight", () => {
  for (const [weights, slow, most] of [
    [[1, 1], 0, 0.01],
    [[2, 1], 0, 0.04],
    [[2, 1], 1, 0.01],
    [[3, 1], 0, 0.04],
    [[10, 1], 0, 0.08],
    [[10, 1], 1, 0.01],
    [[2, 1, 2, 1], 0, 0.01],
    [[10, 1, 10, 1], 0, 0.015],
    [[10, 1, 10, 1], 1, 0.01],
  ] as const) {
    for (const concurrency of [1, 2, 4]) {
      for (const seed of seeds) {
        const load = { concurrency, calls: 6_000, slow };
        const got = sharesOf({ peak_ewma: {} }, weights, load, seed)[slow] ?? 0;
        const what = `seed ${seed}, ${weights.join(":")}, number ${slow} is slow, ${concurrency} at once`;
        assert.ok(got <= most, `${what}: want at most ${percent(most)}, got ${percent(got)}`);
      }
    }
  }
});

test("a new endpoint's share grows with its slow start as weighted_random's does, with few calls at once too", async () => {
  for (const policy of ["least_request", "peak_ewma"]) {
    for (const concurrency of [1, 2, 4, 16]) {
      const sums = [0, 0, 0, 0, 0, 0];
      for (const seed of seeds) {
        registerPoliciesIn({ clock, random: createRandom(seed), ...noWaits });
        const channel = openChannel({ [policy]: { slowStart: { window: "30s" } } }, endpoints(3));
        clock.advance(60_000);
        await turn();
        run(channel, 3, { concurrency, calls: 200, slow: noSlowOne }, seed);
        channel.update(endpoints(4));
        channel.connect("10.0.0.4:80");
        for (const fifth of sums.keys()) {
          const counts = { calls: 0, came: 0 };
          const began = clock.now();
          for (let runs = 1; clock.now() < began + 5_000; runs++) {
            assert.ok(runs <= 1_000, "the calls take no time");
            const load = { concurrency, calls: 100 * concurrency, slow: noSlowOne };
            counts.calls += load.calls;
            counts.came += (run(channel, 4, load, seed + counts.calls)[3] ?? 0) * load.calls;
            await turn(); // the weights are recomputed
          }
          sums[fifth] = (sums[fifth] ?? 0) + counts.came / counts.calls / seeds.length;
        }
        closeChannel(channel, clock);
      }
      // The mean of w / (3 + w) over each step, with w from 0.1 to 1.
      const wanted = [0.039, 0.077, 0.122, 0.163, 0.2, 0.234];
      for (const [step, want] of wanted.entries()) {
        const what = `${policy}, ${concurrency} at once, from ${step * 5} s`;
        const got = sums[step] ?? 0;
        assert.ok(Math.abs(got / want - 1) <= 0.3, `${what}: want ${percent(want)} +- 30 %, got ${sums.map(percent)}`);
        assert.ok(got > (sums[step - 1] ?? 0), `${what}: want more than before, got ${sums.map(percent)}`);
      }
    }
  }
});
