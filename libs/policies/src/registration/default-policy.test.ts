import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { credentials } from "@grpc/grpc-js";
import { PodServiceClient } from "@grpc-lb/protos/pod/v1";
import type { Backend } from "../../testing/backend.ts";
import { call, type PodClient, Rig, turn, until, untilAllAnswer } from "../../testing/rig.ts";
import { connectivityState, parsePolicy, registerConfigReader } from "../grpc-js.ts";
import { chooseDefault } from "./default-policy.ts";
import { checkConfig } from "./dns-config.ts";
import { describeIgnored } from "./mistakes.ts";
import { validatePolicy } from "./named-policy.ts";
import { registerPolicies } from "./register.ts";

registerPolicies();

/** Collects this library's warnings. */
function collectWarnings(t: TestContext): string[] {
  const warnings: string[] = [];
  const listener = (warning: Error) => {
    if (warning.name === "GrpcLbWarning") warnings.push(warning.message);
  };
  process.on("warning", listener);
  t.after(() => process.off("warning", listener));
  return warnings;
}

/** A client of an `ipv4:` target with these servers. */
function clientOf(rig: Rig, backends: readonly Backend[], config: object | undefined): PodClient {
  const client = new PodServiceClient(
    `ipv4:${backends.map(({ port }) => `127.0.0.1:${port}`).join(",")}`,
    credentials.createInsecure(),
    { "grpc.use_local_subchannel_pool": 1, ...(config && { "grpc.service_config": JSON.stringify(config) }) },
  );
  return rig.own(client);
}

/** Service configs as users have written them, and what a warning must say. */
const unusable: readonly [config: object, warning: RegExp][] = [
  [
    { loadBalancingConfig: [{ least_request: { choicecount: 3 } }] },
    /least_request: unknown field choicecount; known fields: choiceCount, .*; round_robin is used instead$/,
  ],
  [
    { loadBalancingConfig: [{ least_requests: {} }] },
    /no policy named least_requests is registered; round_robin is used/,
  ],
  [
    { loadBalancingConfig: [{ outlier_detection: { childPolicy: [{ least_request: { choices: 1 } }] } }] },
    /outlier_detection: childPolicy: least_request: unknown field choices; known fields: choiceCount/,
  ],
  [
    { loadBalancingConfig: [{ ring_hash: { minimum_ring_size: 1024 } }] },
    /ring_hash: unknown field minimum_ring_size; Envoy's minimum_ring_size is minRingSize here/,
  ],
  [
    { loadBalancingConfig: [{ least_request: { active_request_bias: 1 } }] },
    /least_request: unknown field active_request_bias; Envoy's active_request_bias does not exist here/,
  ],
  [{ loadBalancingPolicy: "fastest" }, /no policy named fastest is registered/],
  [{ load_balancing_policy: "round_robin" }, /load_balancing_policy is ignored: unknown field/],
  [{ LoadBalancingConfig: [{ random: {} }] }, /LoadBalancingConfig is ignored: unknown field/],
  [{ least_request: {} }, /least_request is ignored: a policy stands in loadBalancingConfig/],
  [
    { loadBalancingConfig: [{ round_robin: { shuffle: true } }] },
    /round_robin: unknown field shuffle; known fields: panicThreshold;/,
  ],
  [
    { loadBalancingConfig: [{ pick_first: { shuffle: true } }] },
    /pick_first: unknown field shuffle; known fields: shuffleAddressList; round_robin is used/,
  ],
];

for (const [config, warning] of unusable) {
  test(`round_robin, with a warning, for ${JSON.stringify(config)}`, async (t) => {
    const rig = new Rig(t);
    const backends = await rig.start("a", "b", "c");
    const warnings = collectWarnings(t);
    await untilAllAnswer(clientOf(rig, backends, config), ...backends);
    assert.equal(warnings.length, 1, `want one warning, got ${warnings.join("\n")}`);
    assert.match(warnings[0] ?? "", warning);
  });
}

test("a channel that names no policy keeps pick_first, without a warning", async (t) => {
  const rig = new Rig(t);
  const backends = await rig.start("a", "b", "c");
  const warnings = collectWarnings(t);
  for (const config of [
    undefined,
    {},
    { loadBalancingPolicy: "" },
    { loadBalancingConfig: [] },
    { loadBalancingConfig: [{ pick_first: {} }] },
  ]) {
    const client = clientOf(rig, backends, config);
    const first = await call(client);
    for (let n = 1; n < 12; n++) assert.equal(await call(client), first, JSON.stringify(config));
  }
  assert.deepEqual(warnings, []);
});

test("of a channel that was idle, mistakes are not reported again", async (t) => {
  const rig = new Rig(t);
  const [backend] = await rig.start("a");
  const warnings = collectWarnings(t);
  rig.publish([backend]);
  const client = rig.client({ random: {} }, { "grpc.client_idle_timeout_ms": 1 }, [{ name: [{}], waitForReady: true }]);
  for (let n = 0; n < 2; n++) {
    await call(client);
    await until(
      () => client.getChannel().getConnectivityState(false) === connectivityState.IDLE,
      "the channel is idle",
    );
  }
  assert.equal(warnings.length, 1, warnings.join("\n"));
});

test("a timeout that grpc-js misreads is reported, with the right form", () => {
  const describe = (timeout: unknown) => describeIgnored(JSON.stringify({ methodConfig: [{ name: [{}], timeout }] }));
  assert.equal(
    describe("0.25s"),
    'grpc.service_config: methodConfig.timeout "0.25s" is 0 s and 25 ns to grpc-js: write {"seconds":0,"nanos":250000000}',
  );
  for (const right of ["1s", "1.0s", "0.000000025s", { seconds: 0, nanos: 1 }])
    assert.equal(describe(right), undefined);
});

/** Service configs of a resolver, and the warning; the channel names another policy, or none. */
const unusableOfResolver: readonly [policy: object, warning: RegExp][] = [
  [{ least_request: { choicecount: 3 } }, /^the resolver's service config: least_request: unknown field choicecount/],
  [{ outlier_detection: { interval: 10 } }, /^the resolver's service config: outlier_detection: interval must be/],
  [{ pick_first: { shuffleAddressList: 1 } }, /^the resolver's service config: pick_first: shuffleAddressList must be/],
];

for (const [policy, warning] of unusableOfResolver) {
  for (const own of ["", JSON.stringify({ loadBalancingConfig: [{ pick_first: {} }] })]) {
    test(`round_robin, with a warning, for ${JSON.stringify(policy)} of a resolver, of a channel with ${own || "none"}`, async (t) => {
      const rig = new Rig(t);
      const backends = await rig.start("a", "b", "c");
      const warnings = collectWarnings(t);
      const loadBalancingConfig = [policy, { nosuch: {} }] as never;
      rig.publish(backends, { config: { loadBalancingConfig, methodConfig: [] } });
      const client = rig.client({ pick_first: {} }, { "grpc.service_config": own });
      await untilAllAnswer(client, ...backends);
      assert.equal(warnings.length, 1, warnings.join("\n"));
      assert.match(warnings[0] ?? "", warning);
    });
  }
}

test("a service config from DNS with unknown policies only becomes round_robin, with one warning", async (t) => {
  const warnings = collectWarnings(t);
  const config = { loadBalancingConfig: [{ least_requests: {} }], methodConfig: [{ name: [{}], waitForReady: true }] };
  const checked = checkConfig(config as never, "dns:api:80");
  assert.deepEqual(checked, { ...config, loadBalancingConfig: [{ round_robin: {} }] });
  assert.equal(checkConfig(config as never, "dns:api:80"), checked);
  for (const usable of [[], [{ nosuch: {} }, { random: {} }]]) {
    const other = { loadBalancingConfig: usable, methodConfig: [] } as never;
    assert.equal(checkConfig(other, "dns:api:80"), other);
  }
  await turn();
  assert.deepEqual(warnings, [
    "dns:api:80: the service config in DNS: no policy named least_requests is registered; round_robin is used instead",
  ]);
});

test("the configs of a resolver pass through the reader of its scheme", async (t) => {
  const rig = new Rig(t);
  const backends = await rig.start("a", "b", "c");
  const targets: string[] = [];
  rig.publish(backends, { config: { loadBalancingConfig: [{ nosuch: {} }], methodConfig: [] } });
  registerConfigReader("test", (config, target) => {
    targets.push(target);
    return { ...config, loadBalancingConfig: [{ round_robin: {} }] };
  });
  const client = rig.client({ pick_first: {} });
  await untilAllAnswer(client, ...backends);
  assert.deepEqual(targets, [rig.target.uri]);
});

test("an invalid policy before the one in use is reported", async (t) => {
  const rig = new Rig(t);
  const backends = await rig.start("a", "b", "c");
  const warnings = collectWarnings(t);
  const loadBalancingConfig = [{ unknown_policy: {} }, { least_request: { choiceCount: 1 } }, { random: {} }];
  await call(clientOf(rig, backends, { loadBalancingConfig }));
  assert.deepEqual(warnings, [
    "grpc.service_config: least_request: choiceCount must be an integer >= 2, got 1; random is used instead",
  ]);
});

test("fields that grpc-js accepts and ignores are reported, once for a channel", async (t) => {
  const rig = new Rig(t);
  const backends = await rig.start("a", "b", "c");
  const methodConfig = [{ name: [{ service: "a" }], waitForReady: true }];
  const childPolicy = [{ least_request: {} }];
  for (const loadBalancingConfig of [
    [{ random: {} }],
    [],
    [{ round_robin: {} }],
    [{ pick_first: {} }],
    [{ outlier_detection: { childPolicy } }],
    [{ locality: { childPolicy: [{ subset: { subsetSize: 2, childPolicy } }] } }],
  ]) {
    const warnings = collectWarnings(t);
    const healthCheckConfig = { serviceName: "a" };
    const client = clientOf(rig, backends, { loadBalancingConfig, methodConfig, healthCheckConfig });
    for (let n = 0; n < 3; n++) await call(client);
    assert.deepEqual(warnings, [
      "grpc.service_config: healthCheckConfig is ignored: grpc-js has no client-side health checking; " +
        "methodConfig.waitForReady is ignored: grpc-js takes waitForReady from the Metadata options of a call alone",
    ]);
  }
});

test("unknown fields of a service config are named, and a policy in the wrong place has its place", () => {
  const describe = (config: object) => describeIgnored(JSON.stringify(config));
  assert.match(
    describe({ loadbalancingconfig: [] }) ?? "",
    /^grpc\.service_config: loadbalancingconfig is ignored: unknown field; known fields: loadBalancingConfig, .*retryThrottling$/,
  );
  assert.match(
    describe({ least_request: { choicecount: 3 } }) ?? "",
    /least_request is ignored: a policy stands in loadBalancingConfig: \{"loadBalancingConfig":\[\{"least_request":\{\}\}\]\}$/,
  );
  assert.equal(describe({ loadBalancingConfig: [], methodConfig: [], retryThrottling: {} }), undefined);
  assert.equal(describe({ load_balancing_config: [] }), undefined);
});

test("a policy is found in loadBalancingPolicy and in load_balancing_config, which grpc-js ignores", () => {
  for (const [config, policy] of [
    [{ loadBalancingPolicy: "LEAST_REQUEST" }, { least_request: {} }],
    [{ loadBalancingPolicy: "round_robin" }, { round_robin: {} }],
    [{ load_balancing_config: [{ maglev: {} }] }, { maglev: {} }],
  ] as const) {
    assert.deepEqual(chooseDefault(JSON.stringify(config), []), { policy, warning: undefined });
  }
});

test("the error of a config that is not the channel's is reported, too", () => {
  const { policy, warning } = chooseDefault(undefined, ["random: unknown field weights; known fields: panicThreshold"]);
  assert.deepEqual(policy, { round_robin: {} });
  assert.match(warning ?? "", /random: unknown field weights.*round_robin is used instead/);
});

/** The forms of gRPC's documentation and of other languages' clients. */
const documented: readonly [string, Readonly<Record<string, unknown>>][] = [
  ["outlier_detection", { interval: "1s", childPolicy: [{ round_robin: {} }] }],
  ["outlier_detection", { interval: { seconds: 1, nanos: 0 }, child_policy: [{ round_robin: {} }] }],
  [
    "outlier_detection_experimental",
    {
      interval: "1.5s",
      baseEjectionTime: "30s",
      maxEjectionTime: "300s",
      maxEjectionPercent: 10,
      failurePercentageEjection: { threshold: 85, enforcementPercentage: 100, minimumHosts: 5, requestVolume: 50 },
      successRateEjection: { stdevFactor: 1900, enforcement_percentage: "100" },
      childPolicy: [{ least_request: {} }],
    },
  ],
  ["least_request", { choiceCount: "3" }],
  ["least_request_experimental", { choiceCount: 3 }],
  ["ring_hash", { minRingSize: "1024", maxRingSize: "4096" }],
  ["pick_first", { shuffle_address_list: true }],
  ["ring_hash_experimental", { minRingSize: 1024, max_ring_size: 4096, requestHashHeader: "x-key" }],
  ["random_subsetting", { subsetSize: 2, childPolicy: [{ round_robin: {} }] }],
  ["weighted_round_robin", { enableOobLoadReport: true, oobReportingPeriod: "10s", blackoutPeriod: "0.5s" }],
];

for (const [name, config] of documented) {
  test(`takes ${name} ${JSON.stringify(config)}`, () => validatePolicy(name, config));
}

test("outlier_detection keeps grpc-js's defaults and the values that it is given", () => {
  const parse = (config: object) => parsePolicy({ outlier_detection: config } as never).toJsonObject();
  const childPolicy = [{ round_robin: {} }];
  const { outlier_detection: filled } = parse({
    childPolicy,
    interval: "1.5s",
    failurePercentageEjection: { threshold: "50" },
  }) as {
    outlier_detection: Record<string, unknown>;
  };
  assert.deepEqual(filled.interval, { seconds: 1, nanos: 500_000_000 });
  assert.deepEqual(filled.failure_percentage_ejection, {
    threshold: 50,
    enforcement_percentage: 100,
    minimum_hosts: 5,
    request_volume: 50,
  });
  assert.equal(filled.success_rate_ejection, undefined);
  assert.equal(filled.max_ejection_percent, 10);
});
