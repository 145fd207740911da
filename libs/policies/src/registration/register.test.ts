import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";
import { Metadata } from "@grpc/grpc-js";
import { recordCopy } from "@grpc-lb/core";
import { ManualClock } from "@grpc-lb/core/testing";
import { endpoint, FakeChannel } from "../../testing/fake-channel.ts";
import { noWaits } from "../../testing/no-waits.ts";
import { isRegistered, type PolicyJson, parsePolicy, registerPolicyType } from "../grpc-js.ts";
import { random } from "../policies/random.ts";
import { policyNames, registerPolicies, registerPoliciesIn, registerPolicy } from "./register.ts";

const addresses = ["10.0.0.1:80", "10.0.0.2:80"];

/** A channel of two endpoints, both connected. */
function connected(policy: PolicyJson): FakeChannel {
  const channel = new FakeChannel(policy);
  channel.update(addresses.map((address) => endpoint(address)));
  channel.connect();
  return channel;
}

test("policies are registered after registerPolicies, and not before", () => {
  const own = policyNames.filter((name) => !name.endsWith("round_robin")); // grpc-js has two of these names
  assert.deepEqual(own.filter(isRegistered), []);
  class Other {}
  registerPolicyType("ring_hash", Other as never, Other as never); // as grpc-js-xds does, to make way for ours
  registerPolicies();
  parsePolicy({ ring_hash: { entriesPerEndpoint: 100 } });
  assert.deepEqual(
    own.filter((name) => !isRegistered(name)),
    [],
  );
  assert.ok(own.includes("least_request") && own.includes("random"), `${own}`);
});

test("a second registration changes no policy, and only channels created later get its random source", () => {
  registerPoliciesIn({ random: () => 0, ...noWaits });
  const config = parsePolicy({ random: {} });
  const before = connected({ random: {} });
  registerPoliciesIn({ random: () => 0.99, ...noWaits });
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

test("a policy uses the given clock, and the system's without one", () => {
  const clock = new ManualClock();
  const policy = { weighted_random: { slowStart: { window: "10s" } } };
  registerPoliciesIn({ clock, ...noWaits });
  const manual = connected(policy);
  assert.equal(clock.sleeping, 1);
  registerPolicies();
  const machine = connected(policy);
  assert.equal(clock.sleeping, 1);
  manual.balancer.destroy();
  machine.balancer.destroy();
  assert.equal(clock.sleeping, 0);
});

test("a policy of your own is found by its name", () => {
  registerPoliciesIn(noWaits);
  assert.equal(isRegistered("mine"), false);
  registerPolicy({ ...random, name: "mine" });
  const channel = connected({ mine: {} });
  assert.ok(channel.pick(new Metadata()));
  channel.balancer.destroy();
});

test("a policy of your own may be registered twice, and existing channels still follow the resolver", () => {
  const twice = { ...random, name: "twice" };
  registerPolicy(twice);
  const channel = connected({ twice: {} });
  registerPolicy(twice);
  assert.equal(channel.update([endpoint("10.0.0.3:80")], { twice: {} }), true);
  channel.connect("10.0.0.3:80");
  assert.equal(channel.pick(new Metadata())?.address, "10.0.0.3:80");
  assert.deepEqual(channel.held, { "10.0.0.3:80": 1 });
  channel.balancer.destroy();
});

test("the name of another policy is refused", () => {
  registerPolicies();
  registerPolicy({ ...random, name: "taken" });
  for (const name of ["taken", "round_robin", "weighted_round_robin", "random", "subset"]) {
    assert.throws(() => registerPolicy({ ...random, name }), {
      message: new RegExp(`^@grpc-lb/policies: a policy named ${name} is already registered$`),
    });
  }
});

test("a second copy of grpc-js in the process is a warning, and the policies are registered all the same", () => {
  const { cache } = createRequire(import.meta.url);
  const copy = "/nowhere/node_modules/@grpc/grpc-js/build/src/index.js";
  cache[copy] = { id: copy } as NonNullable<(typeof cache)[string]>;
  const warnings: string[] = [];
  try {
    registerPolicies({ warn: (message) => warnings.push(message) });
    registerPolicy({ ...random, name: "mine_of_two" });
  } finally {
    delete cache[copy];
  }
  assert.equal(isRegistered("mine_of_two"), true);
  assert.equal(warnings.length, 2);
  for (const warning of warnings) {
    assert.match(
      warning,
      /there are 2 copies of @grpc\/grpc-js in this process, .*nowhere.*; .* use pick_first; .*npm dedupe/,
    );
  }
  registerPolicies();
});

test("a resolver that is registered in another copy of grpc-js is a warning", () => {
  const warnings: string[] = [];
  const warn = (message: string) => warnings.push(message);
  recordCopy("@grpc/grpc-js", {}, "@grpc-lb/resolver");
  registerPolicies({ warn });
  assert.match(String(warnings), /used by @grpc-lb\/policies; by @grpc-lb\/resolver/);
});

test("options of another type or name are refused", () => {
  for (const [options, message] of [
    [{ warn: "x" }, "registerPolicies: warn must be a function, got a string"],
    [{ clock: new ManualClock() }, "registerPolicies: unknown option clock; known options: warn"],
    [null, "registerPolicies: the options must be an object, got null"],
  ] as const) {
    assert.throws(() => registerPolicies(options as never), { name: "TypeError", message });
  }
  for (const [policy, message] of [
    [undefined, "registerPolicy: the options must be an object, got nothing"],
    [{ ...random, name: undefined }, "registerPolicy: name must be a string, got nothing"],
    [{ ...random, name: "x", parseConfig: undefined }, "registerPolicy: parseConfig must be a function, got nothing"],
    [
      { ...random, name: "x", createInstanse: () => {} },
      /^registerPolicy: unknown option createInstanse; known options: /,
    ],
  ] as const) {
    assert.throws(() => registerPolicy(policy as never), { name: "TypeError", message });
  }
  assert.equal(isRegistered("x"), false);
});

test("existing channels keep their clock when another one is given", () => {
  const [early, late] = [new ManualClock(), new ManualClock()];
  registerPoliciesIn({ clock: early, ...noWaits });
  const channel = connected({ weighted_random: { slowStart: { window: "10s" } } });
  registerPoliciesIn({ clock: late, ...noWaits });
  channel.update([endpoint("10.0.0.3:80")]);
  channel.connect("10.0.0.3:80");
  assert.deepEqual([early.sleeping, late.sleeping], [1, 0]);
  channel.balancer.destroy();
  assert.equal(early.sleeping, 0);
});
