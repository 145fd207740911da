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
  it("needs a hundred calls per policy", () => {
    assert.equal(validatePlan(plan), plan);
    validatePlan({ ...plan, durationMs: 200 });
    assert.throws(() => validatePlan({ ...plan, durationMs: 199 }), {
      name: "RangeError",
      message: "--rate 500 for --duration 199ms is 99 calls per policy; shares need at least 100",
    });
  });

  it("does not allow pick_first below outlier_detection, like grpc-js", () => {
    assert.throws(
      () => validatePlan({ ...plan, hasOutlierDetection: true }),
      /does not allow pick_first below outlier_detection/,
    );
    validatePlan({ ...plan, policies: ["random"], hasOutlierDetection: true });
  });
});

describe("a list of policies", () => {
  const known = ["a", "b", "c"];

  it("is parsed in order, without duplicates", () => {
    assert.deepEqual(parsePolicies("b, a,b", known), ["b", "a"]);
  });

  it("is rejected with the unknown name and the known names", () => {
    for (const [text, got] of [
      ["a,d", "d"],
      ["", ""],
      ["a,", ""],
      ["toString", "toString"],
    ] as const) {
      assert.throws(() => parsePolicies(text, known), { message: `must be names of a, b, c, got "${got}"` });
    }
  });
});
