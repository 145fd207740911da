import assert from "node:assert/strict";
import { test } from "node:test";
import { validatePolicy } from "./named-policy.ts";
import type { PolicyChoice, PolicyConfigs } from "./policy-configs.ts";
import { registerPolicies } from "./register.ts";
import { createServiceConfig } from "./service-config.ts";

registerPolicies();

const common = { panicThreshold: 50 };
const weights = { ...common, weights: { "10.0.0.1:80": 2 }, weightKey: "weight" };
const slowStart = { window: "30s", aggression: 1, minWeightPercent: 10 } as const;
const key = { requestHashHeader: "x-user", key: "hostname" } as const;
const childPolicy = [{ least_request: { choiceCount: 3 } }];
const ejection = { enforcementPercentage: 100, minimumHosts: 3, requestVolume: 10 };

/** Every field that the types have. */
const samples: { readonly [Name in keyof PolicyConfigs]: Required<PolicyConfigs[Name]> } = {
  pick_first: { shuffleAddressList: true },
  round_robin: common,
  random: common,
  weighted_random: { ...weights, slowStart },
  weighted_round_robin: {
    ...{ ...weights, slowStart, source: "orca", enableOobLoadReport: true, oobReportingPeriod: "10s" },
    ...{ blackoutPeriod: "10s", weightExpirationPeriod: "180s", weightUpdatePeriod: "1s", errorUtilizationPenalty: 1 },
  },
  least_request: { ...weights, slowStart, longCallAfter: "10s", choiceCount: 2 },
  peak_ewma: { ...weights, slowStart, longCallAfter: "0s", decay: "10s", defaultRtt: "0.03s" },
  ring_hash: { ...weights, ...key, minRingSize: 1024, maxRingSize: 4096, entriesPerEndpoint: 100 },
  maglev: { ...weights, ...key, tableSize: 65_537 },
  source_hash: { ...weights, ...key, longCallAfter: "10s", balanceFactor: 1.25 },
  locality: {
    ...{ zone: "eu-1a", minLocalEndpoints: 1, overprovisioning: 1.4, connectTimeout: "10s" },
    ...{ keepRemoteConnected: false, remoteIdleTimeout: "900s", childPolicy },
  },
  subset: { subsetSize: 20, clientKey: "a", childPolicy },
  outlier_detection: {
    ...{ interval: "10s", baseEjectionTime: "30s", maxEjectionTime: "300s", maxEjectionPercent: 10, childPolicy },
    successRateEjection: { ...ejection, stdevFactor: 1_900 },
    failurePercentageEjection: { ...ejection, threshold: 85 },
  },
};

/** grpc-js itself reads this one, and does not say which fields it knows. */
const ofGrpcJs = ["pick_first"];

for (const [name, sample] of Object.entries(samples)) {
  test(`the type of the configuration of ${name} has the fields that it reads`, () => {
    assert.doesNotThrow(() => validatePolicy(name, sample));
    if (ofGrpcJs.includes(name)) return;
    const unknown = () => validatePolicy(name, { ...sample, nothing: 1 });
    assert.throws(unknown, { message: RegExp(`known fields: ${Object.keys(sample).sort().join(", ")}$`) });
  });
}

test("TypeScript refuses what createServiceConfig refuses: a misspelt field, another type, a missing field, two policies", () => {
  const refused: PolicyChoice[] = [
    // @ts-expect-error choiceCount is misspelt
    { least_request: { choicecount: 3 } },
    // @ts-expect-error it is a number
    { least_request: { choiceCount: "three" } },
    // @ts-expect-error the unit is missing
    { peak_ewma: { decay: "10" } },
    // @ts-expect-error subsetSize is required
    { subset: {} },
    // @ts-expect-error a field of another policy in a child policy
    { subset: { subsetSize: 2, childPolicy: [{ maglev: { choiceCount: 3 } }] } },
    // @ts-expect-error two policies
    { random: {}, maglev: {} },
  ];
  for (const policy of refused) {
    assert.throws(() => createServiceConfig(policy), /^RangeError: createServiceConfig: /, JSON.stringify(policy));
  }
});

test("TypeScript takes a policy whose name it does not know, with any fields", () => {
  const name: string = "random";
  const policies: PolicyChoice[] = [{ policy_of_tomorrow: { version: "v2" } }, { [name]: {} }];
  assert.deepEqual(JSON.parse(createServiceConfig(policies)), { loadBalancingConfig: policies });
});
