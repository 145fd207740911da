import assert from "node:assert/strict";
import { test } from "node:test";
import { Metadata } from "@grpc/grpc-js";
import { createRandom } from "@grpc-lb/core";
import { ManualClock } from "@grpc-lb/core/testing";
import { targetOption } from "@grpc-lb/discovery";
import { closeChannel, endpoints, openChannel, take } from "../../testing/fake-calls.ts";
import { FakeChannel } from "../../testing/fake-channel.ts";
import { noWaits } from "../../testing/no-waits.ts";
import { registerPoliciesIn } from "../registration/register.ts";

const clock = new ManualClock();
const policies = registerPoliciesIn({ clock, random: createRandom(1), ...noWaits });

/** The stats of the endpoints of the only channel, in short. */
function rows(): unknown[] {
  const [only, ...others] = policies.stats();
  assert.deepEqual(others, []);
  return (only?.endpoints ?? []).map(({ endpoint, isReady, isEjected, picks, inFlight }) => [
    ...[endpoint.address, isReady, isEjected, picks, inFlight],
  ]);
}

test("stats show each endpoint's connection, picks, calls in flight and ejection, until the channel is closed", () => {
  assert.deepEqual(policies.stats(), []);
  const channel = new FakeChannel({ least_request: {} });
  channel.update(endpoints(2), undefined, { [targetOption]: "kubernetes:///api:grpc" });
  assert.deepEqual(
    policies.stats().map(({ target, policy }) => [target, policy]),
    [["kubernetes:///api:grpc", "least_request"]],
  );
  channel.connect("10.0.0.1:80");
  const call = take(channel);
  assert.deepEqual(rows(), [
    ["10.0.0.1:80", true, false, 1, 1],
    ["10.0.0.2:80", false, false, 0, 0],
  ]);
  call.end();
  channel.connect("10.0.0.2:80");
  channel.at("10.0.0.1:80").setHealthy(false);
  take(channel).end();
  assert.deepEqual(rows(), [
    ["10.0.0.1:80", false, true, 1, 0],
    ["10.0.0.2:80", true, false, 1, 0],
  ]);
  closeChannel(channel, clock);
  assert.deepEqual(policies.stats(), []);
});

test("a policy that does not count calls has no number of calls in flight", () => {
  const channel = openChannel({ random: {} }, endpoints(1));
  channel.pick(new Metadata());
  assert.deepEqual(rows(), [["10.0.0.1:80", true, false, 1, undefined]]);
  closeChannel(channel, clock);
});
