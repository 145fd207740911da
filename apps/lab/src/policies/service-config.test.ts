import assert from "node:assert/strict";
import { test } from "node:test";
import { experimental } from "@grpc/grpc-js";
import { registerPolicies } from "@grpc-lb/policies";
import { podPolicyNames } from "../demo/expectations.ts";
import { serviceConfigOf } from "./service-config.ts";

type PolicyConfig = Parameters<typeof experimental.parseLoadBalancingConfig>[0];

registerPolicies();

test("every policy's configuration is one that it takes, alone and under outlier_detection", () => {
  for (const policy of podPolicyNames) {
    for (const hasOutlierDetection of [false, true]) {
      if (hasOutlierDetection && policy === "pick_first") continue;
      const [config] = serviceConfigOf(policy, hasOutlierDetection).loadBalancingConfig as PolicyConfig[];
      const parsed = experimental.parseLoadBalancingConfig(config ?? {});
      assert.equal(parsed.getLoadBalancerName(), hasOutlierDetection ? "outlier_detection" : policy);
    }
  }
});
