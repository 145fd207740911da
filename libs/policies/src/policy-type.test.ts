import assert from "node:assert/strict";
import { test } from "node:test";
import { createRandom } from "@grpc-lb/runtime";
import { ManualClock } from "@grpc-lb/runtime/testing";
import { endpoint, FakeChannel } from "../testing/fake-channel.ts";
import { Probe } from "../testing/probe.ts";
import { storm } from "../testing/storm.ts";
import { parsePolicy } from "./grpc-js.ts";
import { leastRequest } from "./least-request.ts";
import { peakEwma } from "./peak-ewma.ts";
import { policyNames, registerPolicies, registerPolicy } from "./register.ts";
import { sourceHash } from "./source-hash.ts";

const clock = new ManualClock();
registerPolicies({ clock, random: createRandom(3) });

/** `PROPERTY_SEED=7 node --test …` runs one storm again. */
const { PROPERTY_SEED } = process.env;
const seeds = PROPERTY_SEED ? [Number(PROPERTY_SEED)] : Array.from({ length: 12 }, (_, n) => n + 1);
const steps = 250;

/** Other configurations of a policy than the empty one; those it needs to have. */
const configs: Readonly<Record<string, readonly object[]>> = {
  weighted_random: [{}, { slowStart: { window: "3s" } }],
  weighted_round_robin: [{ source: "static" }, {}, { slowStart: { window: "2s" } }],
  least_request: [{}, { choiceCount: 5, slowStart: { window: "3s" } }],
  peak_ewma: [{}, { decay: "1s" }],
  ring_hash: [{ requestHashHeader: "x-key" }, { minRingSize: 8 }],
  maglev: [{ tableSize: 251 }, { requestHashHeader: "x-key", tableSize: 251 }],
  source_hash: [{}, { balanceFactor: 0 }],
};

/**
 * Those that choose among other policies or leave endpoints out: not all endpoints are connected. The child policy stays the
 * same, as grpc-js lets the old one go on, with the old endpoints, until another is connected.
 */
const parents: Readonly<Record<string, readonly object[]>> = {
  subset: [2, 5].map((subsetSize) => ({ subsetSize, clientKey: "a client", childPolicy: [{ least_request: {} }] })),
  locality: [{ zone: "a" }, { zone: "b", minLocalEndpoints: 2 }, { zone: "c", keepRemoteConnected: true }].map(
    (config) => ({
      ...config,
      childPolicy: [{ least_request: {} }],
    }),
  ),
};

for (const name of policyNames) {
  test(`${name} keeps its promises, whatever happens in whatever order`, async (t) => {
    t.mock.timers.enable({ apis: ["setTimeout"] }); // grpc-js's, for the next address of an endpoint
    const policies = (configs[name] ?? parents[name] ?? [{}]).map((config) => ({ [name]: config }));
    for (const seed of seeds) await storm({ seed, steps, policies, clock, usesAll: !(name in parents) });
  });
}

for (const policy of [leastRequest, peakEwma, sourceHash] as const) {
  test(`${policy.name} counts each call from its pick to its end, whatever happens in whatever order`, async (t) => {
    t.mock.timers.enable({ apis: ["setTimeout"] });
    for (const seed of seeds) {
      const name = `probe_${policy.name}_${seed}`;
      // biome-ignore lint/suspicious/noExplicitAny: three policies with configurations of their own, for which the probe does not care
      const probe = new Probe<any, any>(name, policy as never);
      registerPolicy(probe.policy);
      await storm({ seed, steps, policies: [{ [name]: {} }], clock, usesAll: true, inside: probe });
      assert.ok(probe.seen.size > 0, "nothing was ever connected");
    }
  });
}

test("a configuration is read when it is parsed, and given back as it was written", () => {
  const config = parsePolicy({ least_request: { choice_count: 3 } });
  assert.equal(config.getLoadBalancerName(), "least_request");
  assert.deepEqual(config.toJsonObject(), { least_request: { choice_count: 3 } });
});

test("a wrong configuration is refused with the policy, the field and what it must be", () => {
  assert.throws(() => parsePolicy({ least_request: { choiceCount: 1 } }), {
    message: "least_request: choiceCount must be an integer >= 2, got 1",
  });
  assert.throws(() => parsePolicy({ least_request: { choices: 1 } }), {
    message: /least_request: choices is no field; there are choiceCount, /,
  });
});

test("a configuration that says the same is the same, though grpc-js parses it anew for each list of endpoints", () => {
  const probe = new Probe("same_config", leastRequest);
  registerPolicy(probe.policy);
  const json = (config: object) => ({ same_config: config });
  const channel = new FakeChannel(json({ choiceCount: 3, weights: { a: 1 } }));
  channel.update([endpoint("10.0.0.1:80")]);
  channel.connect();
  const config = probe.view?.config;
  channel.update([endpoint("10.0.0.1:80")], json({ weights: { a: 1 }, choiceCount: 3 }));
  assert.equal(probe.view?.config, config);
  channel.update([endpoint("10.0.0.1:80")], json({ weights: { a: 2 }, choiceCount: 3 }));
  assert.equal(probe.view?.config.weights.get("a"), 2);
  channel.balancer.destroy();
});

test("the configuration of another policy is not taken", () => {
  const channel = new FakeChannel({ random: {} });
  channel.update([endpoint("10.0.0.1:80")]);
  const { balancer } = channel;
  const inner = (balancer as unknown as { currentChild: typeof balancer }).currentChild;
  assert.equal(inner.updateAddressList({ ok: true, value: [] }, parsePolicy({ least_request: {} }), {}, ""), false);
  assert.equal(inner.getTypeName(), "random");
  balancer.destroy();
});
