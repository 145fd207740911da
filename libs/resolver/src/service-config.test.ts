import assert from "node:assert/strict";
import { test } from "node:test";
import { assertNothingLeft } from "@grpc-lb/core/testing";
import { chooseServiceConfig, parseServiceConfig, readServiceConfig } from "./service-config.ts";

const roundRobin = [{ round_robin: {} }];
const pickFirst = [{ pick_first: {} }];
const methodConfig = [{ name: [{ service: "pod.v1.PodService" }] }];

test("the user's config comes before the service's, and that before round_robin", () => {
  const ofUser = { loadBalancingConfig: pickFirst, methodConfig: [] };
  const onlyMethods = { loadBalancingConfig: [], methodConfig };
  for (const [user, service, want] of [
    [undefined, undefined, { loadBalancingConfig: roundRobin, methodConfig: [] }],
    [ofUser, undefined, ofUser],
    [ofUser, { loadBalancingConfig: roundRobin, methodConfig }, ofUser],
    [onlyMethods, undefined, { loadBalancingConfig: roundRobin, methodConfig }],
    [onlyMethods, ofUser, { loadBalancingConfig: roundRobin, methodConfig }],
    [undefined, ofUser, ofUser],
    [undefined, onlyMethods, { loadBalancingConfig: roundRobin, methodConfig }],
  ] as const) {
    assert.deepEqual(chooseServiceConfig(user, service), want);
  }
});

test("timeouts are read as they are meant", () => {
  for (const [timeout, want] of [
    ["0.25s", { seconds: 0, nanos: 250_000_000 }],
    ["1s", { seconds: 1, nanos: 0 }],
    ["1.000000001s", { seconds: 1, nanos: 1 }],
    ["90.5s", { seconds: 90, nanos: 500_000_000 }],
    [
      { seconds: 2, nanos: 7 },
      { seconds: 2, nanos: 7 },
    ],
  ] as const) {
    const text = JSON.stringify({ methodConfig: [{ name: [{}], timeout }, { name: [{ service: "a" }] }] });
    const want2 = [{ name: [{}], timeout: want }, { name: [{ service: "a" }] }];
    assert.deepEqual([readServiceConfig(text).methodConfig, parseServiceConfig(text).methodConfig], [want2, want2]);
  }
});

test("the old loadBalancingPolicy is a choice where there is no loadBalancingConfig", () => {
  const read = (config: object) => readServiceConfig(JSON.stringify(config)).loadBalancingConfig;
  assert.deepEqual(read({ loadBalancingPolicy: "PICK_FIRST" }), pickFirst);
  assert.deepEqual(read({ loadBalancingPolicy: "pick_first", loadBalancingConfig: roundRobin }), roundRobin);
  assert.deepEqual(read({ loadBalancingPolicy: "pick_first", loadBalancingConfig: [] }), pickFirst);
  assert.deepEqual(read({}), []);
});

test("what grpc-js would not take is refused with the reason, and the check leaves nothing", async () => {
  for (const [text, why] of [
    ["", /JSON/],
    ["{", /JSON/],
    ["null", /no JSON object/],
    ["[]", /no JSON object/],
    ['{"loadBalancingConfig":{}}', /invalid loadBalancingConfig/],
    ['{"loadBalancingConfig":[{"a":{},"b":{}}]}', /multiple keys/],
    ['{"loadBalancingConfig":[{"no_such":{}}]}', /no_such is not registered/],
    ['{"loadBalancingConfig":[{"outlier_detection":{}}]}', /its own config is wrong/],
    ['{"methodConfig":[{"name":[{}],"timeout":"250ms"}]}', /invalid timeout/],
    ['{"methodConfig":[{}]}', /invalid name array/],
    ['{"methodConfig":[{"name":[{}],"retryPolicy":{"maxAttempts":1}}]}', /maxAttempts/],
    ['{"retryThrottling":{"maxTokens":0}}', /maxTokens/],
  ] as const) {
    assert.throws(() => parseServiceConfig(text), why, text);
  }
  await assertNothingLeft();
});

test("of several policies the first that can be used is enough", () => {
  const loadBalancingConfig = [{ no_such: {} }, { round_robin: {} }];
  assert.deepEqual(parseServiceConfig(JSON.stringify({ loadBalancingConfig })), {
    loadBalancingConfig,
    methodConfig: [],
  });
});
