import { expectationOfStrategy } from "@grpc-lb/verdict";
import { describeReach, describeShares } from "../assess.ts";
import { alignTable, type Column, markdownTable } from "../table.ts";
import { planOf } from "./candidates.ts";
import type { Measurement } from "./measure.ts";
import type { Outcome } from "./run-strategy.ts";

/** The outcome of a strategy that was measured. */
type Measured = Extract<Outcome, { t: "measured" }>;

const columns: readonly Column[] = [
  { title: "strategy", align: "left" },
  { title: "pods", align: "left" },
  { title: "shares", align: "left" },
  { title: "verdict", align: "left" },
  { title: "new pod", align: "right" },
  { title: "killed", align: "right" },
  { title: "restart", align: "right" },
];

/** What the columns mean, one line each. */
export const legend: readonly string[] = [
  "new pod: time from ready to the first call; killed, restart: failed calls when a server's process is killed, and in a rolling restart",
];

/** Why a strategy is not what it must be; null if it is, or was skipped. */
export function failureOf(outcome: Outcome): string | null {
  if (outcome.t === "skipped") return null;
  if (outcome.t === "failed") return outcome.reason;
  const { assessment, firstCallMs, failedInRestart = 0 } = outcome.measurement;
  const { reachesNewPods, newPodLimitMs, survivesRestart } = planOf(outcome.strategy);
  const failures = assessment.failure === null ? [] : [assessment.failure];
  if (firstCallMs === null && reachesNewPods)
    failures.push(`expected a call on the new pod within ${newPodLimitMs / 1000} s, got none`);
  if (firstCallMs !== null && firstCallMs !== undefined && reachesNewPods === false)
    failures.push("expected no call on the new pod, got one");
  if (failedInRestart > 0 && survivesRestart)
    failures.push(`expected no failed call in a rolling restart, got ${failedInRestart}`);
  return failures.join("; ") || null;
}

/** Why the comparison fails, a line each; none if every measured strategy is what it must be. */
export function failuresOf(outcomes: readonly Outcome[]): string[] {
  if (outcomes.every(({ t }) => t === "skipped")) return ["every strategy was skipped: nothing was compared"];
  return outcomes.flatMap((outcome) => {
    const failure = failureOf(outcome);
    return failure === null ? [] : [`${outcome.strategy}: ${failure}`];
  });
}

/** The table in aligned text. */
export function textReport(outcomes: readonly Outcome[]): string[] {
  return alignTable(columns, outcomes.map(cellsOf));
}

/** The table in Markdown, with the reasons below. */
export function markdownReport(outcomes: readonly Outcome[], cluster: string): string {
  const notes = outcomes.flatMap((outcome) => {
    if (outcome.t === "skipped") return [`- ${outcome.strategy} is skipped: ${outcome.reason}`];
    const failure = failureOf(outcome);
    if (failure !== null) return [`- **${outcome.strategy}: ${failure}**`];
    return [`- ${outcome.strategy}: ${expectationOfStrategy(outcome.strategy).why}`];
  });
  const parts = [
    `# Strategies on ${cluster}`,
    markdownTable(columns, outcomes.map(cellsOf)).join("\n"),
    legend.join("\n"),
    notes.join("\n"),
  ];
  return `${parts.join("\n\n")}\n`;
}

/** The output of ARGS=--json. */
export function jsonReport(outcomes: readonly Outcome[]): object {
  const strategies = outcomes.flatMap((outcome) => (outcome.t === "skipped" ? [] : [jsonOf(outcome)]));
  const skipped = outcomes.flatMap((outcome) =>
    outcome.t === "skipped" ? [{ strategy: outcome.strategy, reason: outcome.reason }] : [],
  );
  return { strategies, skipped };
}

function jsonOf(outcome: Exclude<Outcome, { t: "skipped" }>): object {
  const { strategy } = outcome;
  const { expected } = expectationOfStrategy(strategy);
  const failure = failureOf(outcome);
  if (outcome.t === "failed") return { strategy, verdict: null, expected, failure };
  const { assessment, firstCallMs, failedInKill, failedInRestart } = outcome.measurement;
  const { verdict, failedCalls } = assessment;
  const counts = verdict ? [...verdict.perPod.values()] : [];
  return {
    strategy,
    verdict: verdict?.word ?? null,
    expected,
    failure,
    calls: verdict?.calls ?? 0,
    failedCalls,
    pods: counts.length,
    podsReached: counts.filter((count) => count > 0).length,
    callsPerPod: verdict ? Object.fromEntries(verdict.perPod) : {},
    firstCallOnNewPodMs: firstCallMs,
    failedCallsWhenKilled: failedInKill,
    failedCallsInRestart: failedInRestart,
  };
}

function cellsOf(outcome: Outcome): readonly string[] {
  if (outcome.t === "measured") return [outcome.strategy, ...measuredCells(outcome)];
  return [outcome.strategy, "-", "-", outcome.t, "-", "-", "-"];
}

function measuredCells({ strategy, measurement }: Measured): readonly string[] {
  const { assessment, failedInKill, failedInRestart } = measurement;
  const { verdict } = assessment;
  return [
    verdict ? describeReach(verdict) : "-",
    verdict ? describeShares(verdict) : "-",
    verdict?.word ?? "-",
    describeFirstCall(measurement, planOf(strategy).newPodLimitMs),
    failedInKill === undefined ? "-" : String(failedInKill),
    failedInRestart === undefined ? "-" : String(failedInRestart),
  ];
}

function describeFirstCall({ firstCallMs }: Measurement, limitMs: number): string {
  if (firstCallMs === undefined) return "-";
  return firstCallMs === null ? `> ${limitMs / 1000} s` : `${(firstCallMs / 1000).toFixed(1)} s`;
}
