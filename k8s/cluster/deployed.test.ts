import assert from "node:assert/strict";
import { test } from "node:test";
import { describeDeployed, expectationOf } from "./deployed.ts";

const deployment = (strategy: string | undefined, policy?: string) => ({
  metadata: { name: "client-grpc", ...(strategy && { annotations: { "grpc-lb.dev/strategy": strategy } }) },
  spec: {
    template: {
      spec: {
        containers: [
          { name: "istio-proxy", env: [{ name: "POLICY", value: "maglev" }] },
          { name: "client-grpc", env: policy === undefined ? [] : [{ name: "POLICY", value: policy }] },
        ],
      },
    },
  },
});

test("the strategy is that of the manifests, the policy that of the client's variable", () => {
  const policy = 'ring_hash{"key":"pod_uid"}';
  assert.deepEqual(describeDeployed(deployment("resolver", policy), false), {
    strategy: "resolver",
    policy: "ring_hash",
  });
  assert.deepEqual(describeDeployed(deployment(undefined), false), { strategy: "clusterip", policy: "" });
});

test("a sidecar balances the calls to the Service, and passes on those to pods", () => {
  assert.equal(describeDeployed(deployment("clusterip"), true).strategy, "istio");
  assert.equal(describeDeployed(deployment("resolver"), true).strategy, "resolver");
});

test("the strategy decides what is expected, and the policy where the client knows the pods", () => {
  for (const [strategy, policy, expected] of [
    ["clusterip", "", ["PINNED"]],
    ["resolver", "", ["BALANCED"]],
    ["resolver", "maglev", ["PINNED"]],
    ["istio", "", ["BALANCED"]],
    ["consul", "locality", ["BALANCED", "SKEWED", "PINNED"]],
  ] as const) {
    assert.deepEqual(expectationOf({ strategy, policy }).expected, expected, `${strategy} ${policy}`);
  }
});
