import assert from "node:assert/strict";
import { test } from "node:test";
import { expectationOfStrategy } from "@grpc-lb/verdict";
import { assess } from "../assess.ts";
import type { Candidate } from "./candidates.ts";
import { failureOf, failuresOf, jsonReport, markdownReport, textReport } from "./report.ts";
import type { Outcome } from "./run-strategy.ts";

const pods = ["a", "b", "c"];

function measured(
  strategy: Candidate,
  calls: readonly string[],
  more: { firstCallMs?: number | null; failedInKill?: number; failedInRestart?: number } = {},
): Outcome {
  const assessment = assess({ calls, errors: [] }, pods, expectationOfStrategy(strategy));
  return { strategy, t: "measured", measurement: { assessment, ...more } };
}

const pinned = Array.from({ length: 30 }, () => "b");
const turns = Array.from({ length: 30 }, (_, i) => pods[i % 3] ?? "");
const outcomes = [
  measured("clusterip", pinned, { firstCallMs: null, failedInKill: 1, failedInRestart: 0 }),
  measured("resolver", turns, { firstCallMs: 240, failedInKill: 0, failedInRestart: 0 }),
  measured("istio", turns),
  { strategy: "envoy", t: "skipped", reason: "the nodes have no image" },
] as const satisfies readonly Outcome[];

test("the table has a line for each strategy, with what was not measured as a dash", () => {
  assert.deepEqual(textReport(outcomes), [
    "strategy   pods    shares      verdict   new pod  killed  restart",
    "clusterip  1 of 3  0 100 0 %   PINNED     > 10 s       1        0",
    "resolver   3 of 3  33 33 33 %  BALANCED    0.2 s       0        0",
    "istio      3 of 3  33 33 33 %  BALANCED        -       -        -",
    "envoy      -       -           skipped         -       -        -",
  ]);
});

test("a comparison fails if a measured strategy is not what it must be, or if all were skipped", () => {
  assert.deepEqual(failuresOf(outcomes), []);
  const [failure = "", ...others] = failuresOf([...outcomes, measured("resolver", pinned)]);
  assert.match(failure, /^resolver: expected BALANCED, got PINNED/);
  assert.deepEqual(others, []);
  const skipped = outcomes.filter(({ t }) => t === "skipped");
  assert.deepEqual(failuresOf(skipped), ["every strategy was skipped: nothing was compared"]);
});

test("JSON has the measured strategies, and apart from them the skipped ones with the reason", () => {
  const { strategies, skipped } = JSON.parse(JSON.stringify(jsonReport(outcomes)));
  assert.deepEqual(skipped, [{ strategy: "envoy", reason: "the nodes have no image" }]);
  assert.deepEqual(strategies[0], {
    strategy: "clusterip",
    verdict: "PINNED",
    expected: ["PINNED"],
    failure: null,
    calls: 30,
    failedCalls: 0,
    pods: 3,
    podsReached: 1,
    callsPerPod: { a: 0, b: 30, c: 0 },
    firstCallOnNewPodMs: null,
    failedCallsWhenKilled: 1,
    failedCallsInRestart: 0,
  });
  assert.deepEqual(
    strategies.map(({ verdict }: { verdict: string }) => verdict),
    ["PINNED", "BALANCED", "BALANCED"],
  );
});

test("a wrong verdict, a new pod without a call, and failed calls in a restart are failures; in a kill they are not", () => {
  for (const [outcome, failure] of [
    [outcomes[0], null],
    [outcomes[3], null],
    [measured("resolver", pinned), "expected BALANCED, got PINNED"],
    [measured("resolver", turns, { firstCallMs: null }), "expected a call on the new pod within 15 s, got none"],
    [measured("clusterip", pinned, { firstCallMs: 7 }), "expected no call on the new pod, got one"],
    [measured("envoy", turns, { failedInRestart: 2 }), null],
    [measured("etcd", turns, { failedInRestart: 2 }), "expected no failed call in a rolling restart, got 2"],
    [{ strategy: "nginx", t: "failed", reason: "it broke" } as const, "it broke"],
  ] as const) {
    assert.equal(failureOf(outcome), failure);
  }
});

test("Markdown has the table, what is skipped and why, and what is not as it must be", () => {
  const text = markdownReport([...outcomes, measured("nginx", pinned)], "sandbox");
  assert.match(text, /^# Strategies on sandbox\n\n\| strategy \| pods /);
  assert.match(text, /^\| clusterip \| 1 of 3 \| 0 100 0 % \| PINNED \| > 10 s \| 1 \| 0 \|$/m);
  assert.match(text, /^- envoy is skipped: the nodes have no image$/m);
  assert.match(text, /^- \*\*nginx: expected BALANCED, got PINNED\*\*$/m);
});
