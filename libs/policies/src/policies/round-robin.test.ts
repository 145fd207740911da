import assert from "node:assert/strict";
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

test("endpoints take calls in turn, whatever their weight", () => {
  const channel = openChannel(
    { round_robin: {} },
    endpoints(3, (place) => ({ weight: place })),
  );
  const first = Array.from({ length: 3 }, () => Object.keys(spread(channel, 1))[0]);
  assert.deepEqual(first.toSorted(), [one, two, three]);
  for (let n = 0; n < 30; n++) assert.deepEqual(Object.keys(spread(channel, 1)), [first[n % 3]]);
  closeChannel(channel, clock);
});

test("channels begin at a random endpoint", () => {
  const firsts: Record<string, number> = {};
  for (let n = 0; n < 600; n++) {
    const channel = openChannel({ round_robin: {} }, endpoints(3));
    const [first = ""] = Object.keys(spread(channel, 1));
    firsts[first] = (firsts[first] ?? 0) + 1;
    closeChannel(channel, clock);
  }
  assertShares(firsts, { [one]: 1, [two]: 1, [three]: 1 });
});

test("an endpoint that is not connected is left out and comes back, and the turn does not start again each time", () => {
  const channel = openChannel({ round_robin: {} }, endpoints(3));
  const total: Record<string, number> = {};
  for (let n = 0; n < 300; n++) {
    channel.at(three).become(n % 2 === 0 ? connectivityState.TRANSIENT_FAILURE : connectivityState.IDLE, "refused");
    for (const [address, count] of Object.entries(spread(channel, 1))) total[address] = (total[address] ?? 0) + count;
  }
  assert.deepEqual(total, { [one]: 150, [two]: 150 });
  channel.connect(three);
  assert.deepEqual(spread(channel, 9), { [one]: 3, [two]: 3, [three]: 3 });
  closeChannel(channel, clock);
});

test("an invalid configuration is refused with the field's name", () => {
  assertRefused("round_robin", [[{ shuffle: true }, "unknown field shuffle; known fields: panicThreshold"]]);
});
