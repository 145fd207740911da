import assert from "node:assert/strict";
import { test } from "node:test";
import { registeredPolicies, registerPolicies } from "@grpc-lb/policies";
import { parseServiceConfig } from "./service-config.ts";

registerPolicies();

test("a service config is read as it is", () => {
  for (const config of [
    {},
    { loadBalancingConfig: [] },
    { loadBalancingConfig: [{ round_robin: {} }] },
    { loadBalancingConfig: [{ outlier_detection: { child_policy: [{ round_robin: {} }] } }] },
    { methodConfig: [{ name: [{ service: "pod.v1.PodService" }], waitForReady: true }], retryThrottling: {} },
  ]) {
    assert.deepEqual(parseServiceConfig(JSON.stringify(config)), config);
  }
});

test("the fraction of a timeout is written out, because grpc-js takes its digits for nanoseconds", () => {
  for (const [timeout, want] of [
    ["0.25s", "0.250000000s"],
    ["1.5s", "1.500000000s"],
    ["0.000000001s", "0.000000001s"],
    ["0.01s", "0.010000000s"],
    ["10.12345678s", "10.123456780s"],
    ["5s", "5s"],
    ["0.1234567890s", "0.1234567890s"], // more than a Duration has: grpc-js is left to refuse it
    ["soon", "soon"],
    [
      { seconds: 0, nanos: 5 },
      { seconds: 0, nanos: 5 },
    ],
    [1, 1],
  ] as const) {
    const config = parseServiceConfig(JSON.stringify({ methodConfig: [{ name: [{}], timeout }] }));
    assert.deepEqual(config, { methodConfig: [{ name: [{}], timeout: want }] }, `${timeout}`);
  }
});

test("other durations stay as they are", () => {
  const retryPolicy = { maxAttempts: 3, initialBackoff: "0.1s", maxBackoff: "1.5s", backoffMultiplier: 2 };
  const config = { methodConfig: [{ name: [{}], retryPolicy }] };
  assert.deepEqual(parseServiceConfig(JSON.stringify(config)), config);
});

test("a list may name policies that are not there before one that is", () => {
  const config = '{"loadBalancingConfig":[{"not_yet":{}},{"round_robin":{}},{"pick_first":[]}]}';
  assert.deepEqual(Object.keys(parseServiceConfig(config)), ["loadBalancingConfig"]);
});

test("what grpc-js would refuse late, or skip without a word, is refused with the reason", () => {
  const list = 'must have a list of {"policy": {…}} as loadBalancingConfig';
  const unknown = (name: string) =>
    `loadBalancingConfig must be one of ${registeredPolicies().join(", ")}, got "${name}"`;
  for (const [text, want] of [
    ["", /^must be JSON: /],
    ["{", /^must be JSON: /],
    ["round_robin", /^must be JSON: /],
    ["null", "must be a JSON object"],
    ["[]", "must be a JSON object"],
    ['"round_robin"', "must be a JSON object"],
    ['{"loadBalancingConfig":{"round_robin":{}}}', list],
    ['{"loadBalancingConfig":null}', list],
    ['{"loadBalancingConfig":["round_robin"]}', list],
    ['{"loadBalancingConfig":[{}]}', list],
    ['{"loadBalancingConfig":[{"pick_first":{},"round_robin":{}}]}', list],
    ['{"loadBalancingConfig":[{"nothing":{}}]}', unknown("nothing")],
    ['{"loadBalancingConfig":[{"toString":{}},{"nothing":{}}]}', unknown("toString")],
    ['{"loadBalancingConfig":[{"constructor":{}}]}', unknown("constructor")],
    ['{"loadBalancingConfig":[{"round_robin":[]}]}', "must have an object as the configuration of round_robin"],
    ['{"loadBalancingConfig":[{"round_robin":null}]}', "must have an object as the configuration of round_robin"],
    [
      '{"loadBalancingConfig":[{"outlier_detection":{}}]}',
      /^loadBalancingConfig is invalid: .*child_policy/,
    ],
    ['{"loadBalancingPolicy":"round_robin"}', /^must name its policy in loadBalancingConfig/],
    ['{"methodConfig":{"name":[{}]}}', "must have a list as methodConfig"],
  ] as const) {
    assert.throws(() => parseServiceConfig(text), { name: "RangeError", message: want }, text);
  }
});
