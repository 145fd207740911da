import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type PoliciesPlan, parsePolicies, validatePlan } from "./plan.ts";

const plan: PoliciesPlan = {
  policies: ["pick_first", "random"],
  rateHz: 500,
  durationMs: 3_000,
  warmUpMs: 1_500,
  deadlineMs: 300,
  seed: 1,
  hasOutlierDetection: false,
};

describe("a plan", () => {
  it("needs a hundred calls a policy", () => {
    assert.equal(validatePlan(plan), plan);
    validatePlan({ ...plan, durationMs: 200 });
    assert.throws(() => validatePlan({ ...plan, durationMs: 199 }), {
      name: "RangeError",
      message: "--rate 500 for --duration 199ms is 99 calls a policy; a share needs 100",
    });
  });

  it("keeps outlier_detection and pick_first apart, as grpc-js does", () => {
    assert.throws(() => validatePlan({ ...plan, hasOutlierDetection: true }), /cannot stand over pick_first/);
    validatePlan({ ...plan, policies: ["random"], hasOutlierDetection: true });
  });
});

describe("a list of policies", () => {
  const known = ["a", "b", "c"];

  it("is read in its order, each once", () => {
    assert.deepEqual(parsePolicies("b, a,b", known), ["b", "a"]);
  });

  it("says which name is wrong, and what there is", () => {
    for (const [text, got] of [
      ["a,d", "d"],
      ["", ""],
      ["a,", ""],
      ["toString", "toString"],
    ] as const) {
      assert.throws(() => parsePolicies(text, known), { message: `must be of a, b, c, got "${got}"` });
    }
  });
});
