import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ClientLog } from "./client-log.ts";
import { describeFailures, judgeClient } from "./outcome.ts";
import { type Plan, podNames, validatePlan, warmUpCalls } from "./plan.ts";
import { createStrategies } from "./strategies.ts";

const plan: Plan = { durationMs: 3_000, intervalMs: 50, servers: 3, seed: 1 };

function outcomeOf(name: string, lines: readonly string[], policy = "round_robin") {
  const strategy = createStrategies(policy).find((candidate) => candidate.name === name);
  assert.ok(strategy);
  const log = new ClientLog(strategy, podNames(plan), warmUpCalls(plan));
  for (const line of lines) log.add(line);
  return judgeClient(log, plan);
}

const inTurn = (count: number) => Array.from({ length: count }, (_, i) => `#${i + 1}: server-${(i % 3) + 1}`);
const onePod = (count: number) => Array.from({ length: count }, (_, i) => `#${i + 1}: server-2`);

describe("the outcome of a strategy", () => {
  it("has no failure when the verdict is as expected", () => {
    assert.equal(outcomeOf("http", inTurn(30)).failure, undefined);
    assert.equal(outcomeOf("clusterip", onePod(30)).failure, undefined);
    assert.equal(outcomeOf("round_robin", inTurn(30)).failure, undefined);
  });

  it("expects PINNED of a hash policy, whose calls all have the client's key", () => {
    const outcome = outcomeOf("ring_hash", onePod(30), "ring_hash");
    assert.deepEqual([outcome.verdict?.word, outcome.failure], ["PINNED", undefined]);
    assert.match(outcomeOf("ring_hash", inTurn(30), "ring_hash").failure ?? "", /^expected PINNED, got BALANCED /);
    assert.match(outcomeOf("random", onePod(30), "random").failure ?? "", /^expected BALANCED, got PINNED /);
  });

  it("accepts each of several expected verdicts", () => {
    assert.equal(outcomeOf("peak_ewma", onePod(30), "peak_ewma").failure, undefined);
    assert.match(outcomeOf("subset", onePod(30), "subset").failure ?? "", /^expected SKEWED or BALANCED, got PINNED /);
  });

  it("does not judge the calls of the warm-up", () => {
    const outcome = outcomeOf("round_robin", [...onePod(3), ...inTurn(30).slice(3)]);
    assert.equal(outcome.verdict?.word, "BALANCED");
    assert.equal(outcome.verdict?.calls, 27);
  });

  it("names the expected and the actual verdict of each strategy", () => {
    const outcomes = [outcomeOf("http", onePod(30)), outcomeOf("clusterip", inTurn(30))];
    assert.match(
      describeFailures(outcomes) ?? "",
      /^http: expected BALANCED, got PINNED .*; clusterip: expected PINNED, got BAL/,
    );
  });

  it("has a failure when a call failed, whatever the verdict", () => {
    const outcome = outcomeOf("http", [...inTurn(30), "Error: 503 Service Unavailable"]);
    assert.equal(outcome.verdict?.word, "BALANCED");
    assert.equal(outcome.failure, "expected no failed call, got 1, the last: 503 Service Unavailable");
  });

  it("has no verdict when there are too few calls", () => {
    const outcome = outcomeOf("http", inTurn(17));
    assert.equal(outcome.verdict, undefined);
    assert.equal(outcome.failure, "expected at least 18 calls for a verdict, got 17 in 13s");
  });

  it("ignores lines that are not about a call", () => {
    assert.equal(outcomeOf("http", ["(node:1) Warning: x", ...inTurn(30)]).failure, undefined);
  });
});

describe("a plan", () => {
  it("is rejected when it does not allow enough calls for a verdict", () => {
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
