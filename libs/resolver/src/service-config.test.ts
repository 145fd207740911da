import assert from "node:assert/strict";
import { test } from "node:test";
import { assertNothingLeft } from "@grpc-lb/core/testing";
import {
  chooseServiceConfig,
  describeProblems,
  type ParsedServiceConfig,
  parseServiceConfig,
  readChannelConfig,
} from "./service-config.ts";

const roundRobin = [{ round_robin: {} }];
const pickFirst = [{ pick_first: {} }];
const methodConfig = [{ name: [{ service: "pod.v1.PodService" }] }];
const retryPolicy = {
  maxAttempts: 2,
  initialBackoff: "0.1s",
  maxBackoff: "1s",
  backoffMultiplier: 2,
  retryableStatusCodes: ["UNAVAILABLE"],
};
const methodsOf = ({ methodConfig }: ParsedServiceConfig["config"]) => methodConfig;

test("the channel's config comes before the service's, and that before round_robin", () => {
  const ofChannel = { loadBalancingConfig: pickFirst, methodConfig: [] };
  const onlyMethods = { loadBalancingConfig: [], methodConfig };
  for (const [channel, service, want] of [
    [undefined, undefined, { loadBalancingConfig: roundRobin, methodConfig: [] }],
    [ofChannel, undefined, ofChannel],
    [ofChannel, { loadBalancingConfig: roundRobin, methodConfig }, ofChannel],
    [onlyMethods, undefined, { loadBalancingConfig: roundRobin, methodConfig }],
    [onlyMethods, ofChannel, { loadBalancingConfig: roundRobin, methodConfig }],
    [undefined, ofChannel, ofChannel],
    [undefined, onlyMethods, { loadBalancingConfig: roundRobin, methodConfig }],
  ] as const) {
    assert.deepEqual(chooseServiceConfig(channel, service), want);
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
    const methods = [{ name: [{}], timeout: want }, { name: [{ service: "a" }] }];
    assert.deepEqual([readChannelConfig(text).config, parseServiceConfig(text).config].map(methodsOf), [
      methods,
      methods,
    ]);
  }
});

test("what was parsed is valid for grpc-js's option, and gives the same when it is parsed again", () => {
  const text = JSON.stringify({
    loadBalancingConfig: roundRobin,
    methodConfig: [{ name: [{}], timeout: "0.25s", retryPolicy }],
    retryThrottling: { maxTokens: 10, tokenRatio: 0.1 },
  });
  const parsed = parseServiceConfig(text);
  assert.deepEqual(parseServiceConfig(JSON.stringify(parsed.config)), parsed);
  assert.deepEqual([parsed.policyError, parsed.ignored], [undefined, []]);
});

test("loadBalancingPolicy, the old form, counts where there is no loadBalancingConfig", () => {
  const read = (config: object) => readChannelConfig(JSON.stringify(config)).config.loadBalancingConfig;
  assert.deepEqual(read({ loadBalancingPolicy: "PICK_FIRST" }), pickFirst);
  assert.deepEqual(read({ loadBalancingPolicy: "pick_first", loadBalancingConfig: roundRobin }), roundRobin);
  assert.deepEqual(read({ loadBalancingPolicy: "pick_first", loadBalancingConfig: [] }), pickFirst);
  assert.deepEqual(read({}), []);
});

test("what grpc-js refuses is a RangeError with the reason, and the check leaves nothing", async () => {
  for (const [text, message] of [
    ["", /not valid JSON/],
    ["{", /not valid JSON/],
    ["null", /must be a JSON object/],
    ["[]", /must be a JSON object/],
    ['{"loadBalancingConfig":{}}', /invalid loadBalancingConfig/],
    ['{"loadBalancingConfig":[{"a":{},"b":{}}]}', /multiple keys/],
    ['{"methodConfig":[{"name":[{}],"timeout":"250ms"}]}', /invalid timeout/],
    ['{"methodConfig":[{}]}', /invalid name array/],
    ['{"methodConfig":[{"name":[{}],"retryPolicy":{"maxAttempts":1}}]}', /maxAttempts/],
    ['{"retryThrottling":{"maxTokens":0}}', /maxTokens/],
  ] as const) {
    assert.throws(() => parseServiceConfig(text), { name: "RangeError", message }, text);
  }
  await assertNothingLeft();
});

test("of several policies the first that can be used counts, and names that are not registered before it are no error", () => {
  const loadBalancingConfig: object[] = [{ no_such: {} }, { toString: {} }, { pick_first: {} }, { round_robin: {} }];
  const { config, policyError } = parseServiceConfig(JSON.stringify({ loadBalancingConfig }));
  assert.deepEqual([config.loadBalancingConfig, policyError], [pickFirst, undefined]);
});

test("a policy that cannot be used is an error that names policy and field; round_robin or the next one is used", () => {
  const outlierDetection = (child_policy: object[]) => ({ outlier_detection: { child_policy } });
  for (const [json, policyError, used] of [
    [{ loadBalancingConfig: [{ no_such: {} }] }, /^unknown policy "no_such"/, "round_robin"],
    [{ loadBalancingConfig: [{ toString: {} }] }, /^unknown policy "toString"/, "round_robin"],
    [{ loadBalancingConfig: [{ a: {} }, { b: {} }] }, /^unknown policies "a", "b"/, "round_robin"],
    [{ loadBalancingPolicy: "NO_SUCH" }, /^unknown policy "no_such"/, "round_robin"],
    [
      { loadBalancingConfig: [{ pick_first: { shuffleAddressList: "yes" } }] },
      /^pick_first: .*shuffleAddressList/,
      "round_robin",
    ],
    [
      {
        loadBalancingConfig: [
          { no_such: {} },
          { pick_first: { shuffleAddressList: "yes" } },
          { weighted_round_robin: {} },
        ],
      },
      /^pick_first: .*shuffleAddressList/,
      "weighted_round_robin",
    ],
    [{ loadBalancingConfig: [{ outlier_detection: {} }] }, /^outlier_detection: .*child_policy/, "round_robin"],
    [
      { loadBalancingConfig: [outlierDetection([{ no_such: {} }])] },
      /^outlier_detection: .*: unknown policy "no_such"/,
      "round_robin",
    ],
    [
      { loadBalancingConfig: [outlierDetection([outlierDetection([{ pick_first: { shuffleAddressList: 1 } }])])] },
      /^outlier_detection: .*: outlier_detection: .*: pick_first: .*shuffleAddressList/,
      "round_robin",
    ],
  ] as const) {
    const text = JSON.stringify(json);
    for (const parsed of [parseServiceConfig(text), readChannelConfig(text)]) {
      assert.match(parsed.policyError ?? "", policyError, text);
      assert.deepEqual(parsed.config.loadBalancingConfig.flatMap(Object.keys), [used], text);
      assert.match(describeProblems("a", parsed) ?? "", new RegExp(`^a: .*; ${used} is used instead$`), text);
    }
  }
});

test("load_balancing_config counts as loadBalancingConfig, which grpc-js alone reads", () => {
  const { config } = parseServiceConfig(JSON.stringify({ load_balancing_config: roundRobin }));
  assert.deepEqual(config, { loadBalancingConfig: roundRobin, methodConfig: [] });
});

test("the config has only fields that grpc-js obeys", () => {
  const method = { name: [{}], timeout: { seconds: 1, nanos: 0 } };
  const json = { healthCheckConfig: {}, methodConfig: [{ ...method, timeout: "1s", waitForReady: true }], unknown: 1 };
  assert.deepEqual(parseServiceConfig(JSON.stringify(json)).config, {
    loadBalancingConfig: [],
    methodConfig: [method],
  });
});

test("each field that grpc-js takes and does not obey is named, once", () => {
  for (const [json, ignored] of [
    [{ healthCheckConfig: { serviceName: "" } }, [/^healthCheckConfig is ignored: .*no client-side health checking$/]],
    [
      { loadbalancingconfig: roundRobin },
      [/^loadbalancingconfig is ignored: unknown field; known fields: loadBalancingConfig, /],
    ],
    [
      { round_robin: {} },
      [
        /^round_robin is ignored: a policy stands in loadBalancingConfig: \{"loadBalancingConfig":\[\{"round_robin":\{\}\}\]\}$/,
      ],
    ],
    [{ load_balancing_config: roundRobin }, []],
    [{ methodConfig: { name: [{}] } }, [/^methodConfig is ignored: it must be a list$/]],
    [
      {
        methodConfig: [
          { name: [{ service: "a" }], waitForReady: true },
          { name: [{ service: "b" }], waitForReady: true, retry_policy: retryPolicy },
        ],
      },
      [/^methodConfig\.waitForReady is ignored: .*Metadata/, /^methodConfig\.retry_policy is ignored: unknown field/],
    ],
    [
      { methodConfig: [{ name: [{}], maxRequestBytes: 1 }] },
      [/^methodConfig\.maxRequestBytes .*grpc\.max_send_message_length/],
    ],
    [{ loadBalancingConfig: pickFirst, methodConfig: [{ name: [{}], timeout: "1s" }] }, []],
  ] as const) {
    const text = JSON.stringify(json);
    const got = parseServiceConfig(text).ignored;
    assert.equal(got.length, ignored.length, got.join("\n"));
    for (const [n, want] of ignored.entries()) assert.match(got[n] ?? "", want);
  }
});
