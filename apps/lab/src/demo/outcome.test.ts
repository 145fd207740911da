import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ClientLog } from "./client-log.ts";
import { podPolicy } from "./expectations.ts";
import { describeFailures, judgeClient } from "./outcome.ts";
import { type Plan, podNames, validatePlan, warmUpCalls } from "./plan.ts";
import { createStrategies } from "./strategies.ts";

const plan: Plan = { durationMs: 3_000, intervalMs: 50, servers: 3, seed: 1 };

function outcomeOf(name: string, lines: readonly string[], policy = "round_robin") {
  const strategy = createStrategies(podPolicy(policy)).find((candidate) => candidate.name === name);
  assert.ok(strategy);
  const log = new ClientLog(strategy, podNames(plan), warmUpCalls(plan));
  for (const line of lines) log.take(line);
  return judgeClient(log, plan);
}

const inTurn = (count: number) => Array.from({ length: count }, (_, i) => `#${i + 1}: server-${(i % 3) + 1}`);
const onePod = (count: number) => Array.from({ length: count }, (_, i) => `#${i + 1}: server-2`);

describe("the outcome of a strategy", () => {
  it("is as it must be when the word is the one expected", () => {
    assert.equal(outcomeOf("http", inTurn(30)).failure, undefined);
    assert.equal(outcomeOf("clusterip", onePod(30)).failure, undefined);
    assert.equal(outcomeOf("round_robin", inTurn(30)).failure, undefined);
  });

  it("is what the policy is for: a hash policy sends a client to one pod", () => {
    const outcome = outcomeOf("ring_hash", onePod(30), "ring_hash");
    assert.deepEqual([outcome.verdict?.word, outcome.failure], ["PINNED", undefined]);
    assert.match(outcomeOf("ring_hash", inTurn(30), "ring_hash").failure ?? "", /^expected PINNED, got BALANCED /);
    assert.match(outcomeOf("random", onePod(30), "random").failure ?? "", /^expected BALANCED, got PINNED /);
  });

  it("may be any of several words", () => {
    assert.equal(outcomeOf("peak_ewma", onePod(30), "peak_ewma").failure, undefined);
    assert.match(outcomeOf("subset", onePod(30), "subset").failure ?? "", /^expected SKEWED or BALANCED, got PINNED /);
  });

  it("leaves the warm-up out of what is judged", () => {
    const outcome = outcomeOf("round_robin", [...onePod(3), ...inTurn(30).slice(3)]);
    assert.equal(outcome.verdict?.word, "BALANCED");
    assert.equal(outcome.verdict?.calls, 27);
  });

  it("names what was expected and what was got", () => {
    const outcomes = [outcomeOf("http", onePod(30)), outcomeOf("clusterip", inTurn(30))];
    assert.match(
      describeFailures(outcomes) ?? "",
      /^http: expected BALANCED, got PINNED .*; clusterip: expected PINNED, got BAL/,
    );
  });

  it("fails when a call failed, whatever the word", () => {
    const outcome = outcomeOf("http", [...inTurn(30), "Error: 503 Service Unavailable"]);
    assert.equal(outcome.verdict?.word, "BALANCED");
    assert.equal(outcome.failure, "expected no failed call, got 1, the last: 503 Service Unavailable");
  });

  it("has no verdict on too few calls", () => {
    const outcome = outcomeOf("http", inTurn(17));
    assert.equal(outcome.verdict, undefined);
    assert.equal(outcome.failure, "expected at least 18 calls for a verdict, got 17 in 3s");
  });

  it("is not touched by lines that tell of no call", () => {
    assert.equal(outcomeOf("http", ["(node:1) Warning: x", ...inTurn(30)]).failure, undefined);
  });
});

describe("a plan", () => {
  it("is refused when it cannot end with a verdict", () => {
    const table: [number, number, number, boolean][] = [
      [10_000, 200, 3, true],
      [3_600, 200, 3, true],
      [3_599, 200, 3, false],
      [10_000, 200, 8, true],
      [10_000, 200, 9, false],
      [0, 1, 2, false],
    ];
    for (const [durationMs, intervalMs, servers, isPossible] of table) {
      const validate = () => validatePlan({ durationMs, intervalMs, servers, seed: 1 });
      if (isPossible) assert.doesNotThrow(validate);
      else assert.throws(validate, /a verdict needs \d+: \d+ to warm up and 5 for each of \d servers$/);
    }
  });
});
