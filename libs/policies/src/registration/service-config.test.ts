import assert from "node:assert/strict";
import { test } from "node:test";
import { Channel, credentials } from "@grpc/grpc-js";
import { registerPolicies } from "./register.ts";
import { createServiceConfig } from "./service-config.ts";

registerPolicies();

const retryPolicy = {
  maxAttempts: 4,
  initialBackoff: "0.1s",
  maxBackoff: "1s",
  backoffMultiplier: 2,
  retryableStatusCodes: ["UNAVAILABLE"],
} as const;
const name = [{ service: "pod.v1.PodService" }];
/** Calls as JavaScript may. */
const create = (...args: readonly unknown[]) => createServiceConfig(...(args as [never, never]));

test("a service config has the policy, timeouts, retries and throttling, and grpc-js takes it", () => {
  const text = createServiceConfig(
    { least_request: { choiceCount: 3 } },
    {
      methodConfig: [
        { name: [{}], timeout: "0.25s" },
        { name: [{ service: "pod.v1.PodService", method: "GetPod" }, ...name], timeout: "2s", retryPolicy },
        {
          name: [{ service: "a" }],
          hedgingPolicy: { maxAttempts: 2, hedgingDelay: "0s", nonFatalStatusCodes: ["ABORTED"] },
        },
      ],
      retryThrottling: { maxTokens: 10, tokenRatio: 0.1 },
    },
  );
  assert.deepEqual(JSON.parse(text), {
    methodConfig: [
      { name: [{}], timeout: { seconds: 0, nanos: 250_000_000 } },
      {
        name: [{ service: "pod.v1.PodService", method: "GetPod" }, ...name],
        retryPolicy,
        timeout: { seconds: 2, nanos: 0 },
      },
      {
        name: [{ service: "a" }],
        hedgingPolicy: { maxAttempts: 2, hedgingDelay: "0s", nonFatalStatusCodes: ["ABORTED"] },
      },
    ],
    retryThrottling: { maxTokens: 10, tokenRatio: 0.1 },
    loadBalancingConfig: [{ least_request: { choiceCount: 3 } }],
  });
  new Channel("unix:///nowhere", credentials.createInsecure(), { "grpc.service_config": text }).close();
});

test("of a list, names that are not registered may precede one that is; an empty list is the channel's default", () => {
  const list = [{ policy_of_tomorrow: { a: 1 } }, { least_request: {} }, { round_robin: {} }];
  assert.deepEqual(JSON.parse(createServiceConfig(list)), { loadBalancingConfig: list });
  assert.deepEqual(JSON.parse(createServiceConfig([])), {});
});

for (const [policy, message] of [
  [
    { least_request: { choicecount: 3 } },
    /^createServiceConfig: least_request: unknown field choicecount; known fields: choiceCount/,
  ],
  [{ least_requests: {} }, /^createServiceConfig: the policy must be one of .*least_request.*, got "least_requests"/],
  [{ random: {}, maglev: {} }, /^createServiceConfig: a policy must have one name, got random, maglev/],
  [{}, /^createServiceConfig: the policy must be one of .*, got ""/],
  [[{ tomorrow: {} }, { later: {} }], /must be one of .*, got "tomorrow"/],
  [
    [{ tomorrow: {} }, { least_request: { choiceCount: 1 } }],
    /least_request: choiceCount must be an integer >= 2, got 1/,
  ],
] as const) {
  test(`a policy that cannot be used is refused: ${JSON.stringify(policy)}`, () => {
    assert.throws(() => create(policy), { name: "RangeError", message });
  });
}

for (const [config, error, message] of [
  [
    { timeout: "250ms" },
    "RangeError",
    'methodConfig[0]: timeout must be a duration in seconds such as 1s or 0.25s, > 0, got "250ms"',
  ],
  [
    { timeout: "0s" },
    "RangeError",
    'methodConfig[0]: timeout must be a duration in seconds such as 1s or 0.25s, > 0, got "0s"',
  ],
  [{ timeout: 1_000 }, "TypeError", "methodConfig[0]: timeout must be a string, got a number"],
  [
    { timeOut: "1s" },
    "TypeError",
    /^createServiceConfig: methodConfig\[0\]: unknown option timeOut; known options: hedgingPolicy, /,
  ],
  [
    { waitForReady: true },
    "TypeError",
    "methodConfig[0]: waitForReady must not be set, because grpc-js ignores it here: give a call new Metadata({ waitForReady: true }), got a boolean",
  ],
  [
    { retryPolicy: { ...retryPolicy, maxAttempts: 6 } },
    "RangeError",
    "methodConfig[0]: retryPolicy.maxAttempts must be an integer from 2 to 5, got 6",
  ],
  [
    { retryPolicy: { ...retryPolicy, maxAttempts: 1 } },
    "RangeError",
    "methodConfig[0]: retryPolicy.maxAttempts must be an integer from 2 to 5, got 1",
  ],
  [
    { retryPolicy: { ...retryPolicy, maxBackoff: "1" } },
    "RangeError",
    /retryPolicy\.maxBackoff must be a duration in seconds/,
  ],
  [{ retryPolicy: { ...retryPolicy, backoffMultiplier: 0 } }, "RangeError", /backoffMultiplier must be > 0, got 0/],
  [
    { retryPolicy: { ...retryPolicy, retryableStatusCodes: [] } },
    "RangeError",
    /retryableStatusCodes must have at least one entry/,
  ],
  [
    { retryPolicy: { ...retryPolicy, retryableStatusCodes: ["UNAVAILABEL"] } },
    "RangeError",
    /retryableStatusCodes must be of CANCELLED, .*UNAVAILABLE, .*, got "UNAVAILABEL"$/,
  ],
  [{ retryPolicy: { ...retryPolicy, retryableStatusCodes: ["OK"] } }, "RangeError", /, got "OK"$/],
  [{ retryPolicy: { maxAttempts: 2 } }, "TypeError", /retryPolicy\.initialBackoff must be a string, got nothing/],
  [{ retryPolicy, hedgingPolicy: { maxAttempts: 2 } }, "RangeError", /give retryPolicy or hedgingPolicy, not both/],
  [{ name: [] }, "RangeError", /name must have at least one entry; \[\{\}\] is for all methods/],
  [{ name: [{ method: "GetPod" }] }, "RangeError", /a method needs its service, got GetPod/],
  [{ name: [{ service: "/pod.v1.PodService/GetPod" }] }, "RangeError", /a name must be as \{"service"/],
  [{ name: [...name, ...name] }, "RangeError", /each name must be there once, got pod\.v1\.PodService\/ twice/],
] as const) {
  test(`a config of methods that is wrong is refused: ${JSON.stringify(config)}`, () => {
    const wanted = typeof message === "string" ? `createServiceConfig: ${message}` : message;
    assert.throws(() => create({ random: {} }, { methodConfig: [{ name, ...config }] }), {
      name: error,
      message: wanted,
    });
  });
}

for (const [options, message] of [
  [null, /the options must be an object, got null/],
  [{ methodConfig: {} }, /methodConfig must be a list, got an object/],
  [{ methodConfigs: [] }, /unknown option methodConfigs; known options: /],
  [{ loadBalancingConfig: [] }, /loadBalancingConfig must not be set: the policy is the first argument/],
  [
    { retryThrottling: { maxTokens: 2_000, tokenRatio: 1 } },
    /retryThrottling\.maxTokens must be > 0 and <= 1000, got 2000/,
  ],
  [{ retryThrottling: { maxTokens: 10 } }, /retryThrottling\.tokenRatio must be a number, got nothing/],
] as const) {
  test(`options that are wrong are refused: ${JSON.stringify(options)}`, () => {
    assert.throws(() => create({ random: {} }, options), message);
  });
}
