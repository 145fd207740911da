import assert from "node:assert/strict";
import { test } from "node:test";
import { expectationOfPolicy, expectationOfStrategy } from "./expectation.ts";

test("a strategy whose client knows the pods is expected to do what its policy does", () => {
  assert.deepEqual(expectationOfStrategy("resolver"), expectationOfPolicy("round_robin"));
  assert.deepEqual(expectationOfStrategy("etcd", "maglev").expected, ["PINNED"]);
});

test("a strategy that chooses for the client is expected to do the same with every policy", () => {
  for (const [strategy, rule, expected] of [
    ["clusterip", "random", ["PINNED"]],
    ["nodeport", "random", ["PINNED"]],
    ["max-age", "random", ["SKEWED", "BALANCED"]],
    ["envoy", "round_robin", ["BALANCED"]],
    ["istio", "random", ["BALANCED"]],
  ] as const) {
    const got = expectationOfStrategy(strategy, "maglev");
    assert.deepEqual([got.rule, got.expected], [rule, expected], strategy);
  }
});

test("of an unknown policy any verdict is expected, also of one that is named like a property of objects", () => {
  for (const policy of ["my_policy", "toString"])
    assert.deepEqual(expectationOfPolicy(policy).expected, ["BALANCED", "SKEWED", "PINNED"], policy);
});
