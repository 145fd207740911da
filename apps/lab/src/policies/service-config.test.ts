import assert from "node:assert/strict";
import { test } from "node:test";
import { experimental } from "@grpc/grpc-js";
import { registerPolicies } from "@grpc-lb/policies";
import { comparedPolicies } from "./plan.ts";
import { serviceConfigOf } from "./service-config.ts";

type PolicyConfig = Parameters<typeof experimental.parseLoadBalancingConfig>[0];

registerPolicies();

test("grpc-js parses the configuration of every policy, alone and below outlier_detection", () => {
  for (const policy of comparedPolicies) {
    for (const hasOutlierDetection of [false, true]) {
      if (hasOutlierDetection && policy === "pick_first") continue;
      const [config] = serviceConfigOf(policy, hasOutlierDetection).loadBalancingConfig as PolicyConfig[];
      const parsed = experimental.parseLoadBalancingConfig(config ?? {});
      assert.equal(parsed.getLoadBalancerName(), hasOutlierDetection ? "outlier_detection" : policy);
    }
  }
});
