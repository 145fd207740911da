import assert from "node:assert/strict";
import { test } from "node:test";
import { expectationOfStrategy } from "@grpc-lb/verdict";
import { assess, describeReach, describeShares } from "./assess.ts";

const turns = (count: number) => Array.from({ length: count }, (_, i) => "abc"[i % 3] ?? "");

test("calls that are as they must be have no failure", () => {
  const { verdict, failedCalls, failure } = assess(
    { calls: turns(31), errors: [] },
    ["a", "b", "c"],
    expectationOfStrategy("resolver"),
  );
  assert.deepEqual([verdict?.word, failedCalls, failure], ["BALANCED", 0, null]);
});

test("another verdict, a failed call and no call at all are failures, with what is expected", () => {
  const resolver = expectationOfStrategy("resolver");
  const pods = ["a", "b", "c"];
  for (const [window, failure] of [
    [{ calls: ["a", "a"], errors: [] }, "expected BALANCED, got PINNED"],
    [{ calls: turns(30), errors: ["x", "y"] }, "expected no failed call, got 2, the last: y"],
    [{ calls: [], errors: [] }, "expected calls, got none"],
  ] as const) {
    assert.equal(assess(window, pods, resolver).failure, failure);
  }
  const maxAge = expectationOfStrategy("max-age");
  assert.equal(assess({ calls: ["a"], errors: [] }, pods, maxAge).failure, "expected SKEWED or BALANCED, got PINNED");
});

test("reach and shares name each of a few pods, and the range of many", () => {
  const expectation = expectationOfStrategy("http");
  const few = assess({ calls: ["a", "a", "b"], errors: [] }, ["a", "b", "c"], expectation).verdict;
  assert.ok(few);
  assert.deepEqual([describeReach(few), describeShares(few)], ["2 of 3", "67 33 0 %"]);
  const many = assess({ calls: ["a", "b", "b", "c"], errors: [] }, [..."abcdef"], expectation).verdict;
  assert.ok(many);
  assert.deepEqual([describeReach(many), describeShares(many)], ["3 of 6", "0 to 50 %"]);
});
