import assert from "node:assert/strict";
import { test } from "node:test";
import { Metadata } from "@grpc/grpc-js";
import { ManualClock } from "@grpc-lb/runtime/testing";
import { endpoint, FakeChannel } from "../testing/fake-channel.ts";
import { isRegistered, type PolicyJson, parsePolicy } from "./grpc-js.ts";
import { random } from "./random.ts";
import { policyNames, registerPolicies, registerPolicy } from "./register.ts";

const addresses = ["10.0.0.1:80", "10.0.0.2:80"];

/** A channel of two endpoints, both connected. */
function connected(policy: PolicyJson): FakeChannel {
  const channel = new FakeChannel(policy);
  channel.update(addresses.map((address) => endpoint(address)));
  channel.connect();
  return channel;
}

test("policies are known once they are registered, and not before", () => {
  const own = policyNames.filter((name) => name !== "weighted_round_robin"); // grpc-js has one of that name
  assert.deepEqual(own.filter(isRegistered), []);
  registerPolicies();
  assert.deepEqual(
    own.filter((name) => !isRegistered(name)),
    [],
  );
  assert.ok(own.includes("least_request") && own.includes("random"), `${own}`);
});

test("a second registration changes no policy, and only channels made later get its chance", () => {
  registerPolicies({ random: () => 0 });
  const config = parsePolicy({ random: {} });
  const before = connected({ random: {} });
  registerPolicies({ random: () => 0.99 });
  assert.equal(
    parsePolicy({ random: {} }).constructor,
    config.constructor,
    "channels that are there keep their policy",
  );
  const after = connected({ random: {} });
  assert.equal(before.pick(new Metadata())?.address, addresses[0]);
  assert.equal(after.pick(new Metadata())?.address, addresses[1]);
  before.balancer.destroy();
  after.balancer.destroy();
});

test("a policy waits on the clock that was given, and without one on the machine's", () => {
  const clock = new ManualClock();
  const policy = { weighted_random: { slowStart: { window: "10s" } } };
  registerPolicies({ clock });
  const manual = connected(policy);
  assert.equal(clock.sleeping, 1);
  registerPolicies();
  const machine = connected(policy);
  assert.equal(clock.sleeping, 1);
  manual.balancer.destroy();
  machine.balancer.destroy();
  assert.equal(clock.sleeping, 0);
});

test("one's own policy is found by its name", () => {
  assert.equal(isRegistered("mine"), false);
  registerPolicy({ ...random, name: "mine" });
  const channel = connected({ mine: {} });
  assert.ok(channel.pick(new Metadata()));
  channel.balancer.destroy();
});
