import { test } from "node:test";
import { createRandom } from "@grpc-lb/core";
import { ManualClock } from "@grpc-lb/core/testing";
import { assertRefused, assertShares, closeChannel, endpoints, openChannel, spread } from "../../testing/fake-calls.ts";
import { noWaits } from "../../testing/no-waits.ts";
import { connectivityState } from "../grpc-js.ts";
import { registerPoliciesIn } from "../registration/register.ts";

const clock = new ManualClock();
registerPoliciesIn({ clock, random: createRandom(1), ...noWaits });

const [one, two, three] = ["10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"] as const;

test("all endpoints have the same probability, whatever their weight, for several seeds", () => {
  for (const seed of [1, 2, 2026]) {
    registerPoliciesIn({ clock, random: createRandom(seed), ...noWaits });
    const channel = openChannel(
      { random: {} },
      endpoints(3, (place) => ({ weight: place })),
    );
    assertShares(spread(channel, 30_000), { [one]: 1, [two]: 1, [three]: 1 });
    closeChannel(channel, clock);
  }
});

test("consecutive calls are independent", () => {
  const channel = openChannel({ random: {} }, endpoints(3));
  const pairs: Record<string, number> = {};
  let last = Object.keys(spread(channel, 1))[0];
  for (let n = 0; n < 18_000; n++) {
    const next = Object.keys(spread(channel, 1))[0];
    pairs[`${last} ${next}`] = (pairs[`${last} ${next}`] ?? 0) + 1;
    last = next;
  }
  const all = [one, two, three].flatMap((a) => [one, two, three].map((b) => [`${a} ${b}`, 1]));
  assertShares(pairs, Object.fromEntries(all));
  closeChannel(channel, clock);
});

test("an endpoint that is not connected gets no calls, and gets them again when it is", () => {
  const channel = openChannel({ random: {} }, endpoints(3));
  channel.at(two).become(connectivityState.TRANSIENT_FAILURE, "refused");
  assertShares(spread(channel, 10_000), { [one]: 1, [three]: 1 });
  channel.at(two).become(connectivityState.IDLE);
  channel.connect(two);
  assertShares(spread(channel, 10_000), { [one]: 1, [two]: 1, [three]: 1 });
  closeChannel(channel, clock);
});

test("an invalid configuration is refused with the field's name", () => {
  assertRefused("random", [
    [{ weights: {} }, "unknown field weights; known fields: panicThreshold"],
    [{ panicThreshold: 101 }, "panicThreshold must be a number from 0 to 100, got 101"],
    [[], "the configuration must be an object, got []"],
  ]);
});
