import { formatDuration } from "@grpc-lb/core";
import { judge, type Verdict } from "@grpc-lb/verdict";
import type { ClientLog } from "./client-log.ts";
import { extraMs, neededCalls, type Plan, podNames } from "./plan.ts";
import type { Strategy } from "./strategies.ts";

/** The result of a strategy. */
export interface Outcome {
  readonly strategy: Strategy;
  /** Undefined when there were too few calls. */
  readonly verdict: Verdict | undefined;
  /** The number of failed calls. */
  readonly errors: number;
  /** What was expected and what happened; undefined when the verdict is as expected and no call failed. */
  readonly failure: string | undefined;
}

/** Judges the calls of a client in a whole run. Errors count also during the warm-up. */
export function judgeClient(log: ClientLog, plan: Plan): Outcome {
  const { strategy, calls, judgedCalls, errors } = log;
  const hasEnough = calls >= neededCalls(plan);
  const verdict = hasEnough ? judge(judgedCalls, podNames(plan), strategy.rule) : undefined;
  const failures: string[] = [];
  if (errors > 0) failures.push(`expected no failed call, got ${errors}, the last: ${log.lastError}`);
  if (!verdict) {
    const got = `got ${calls} in ${formatDuration(plan.durationMs + extraMs(plan))}`;
    failures.push(`expected at least ${neededCalls(plan)} calls for a verdict, ${got}`);
  } else if (!strategy.expected.includes(verdict.word)) {
    failures.push(
      `expected ${strategy.expected.join(" or ")}, got ${verdict.word} (p = ${verdict.pValue.toPrecision(2)})`,
    );
  }
  return { strategy, verdict, errors, failure: failures.join("; ") || undefined };
}

/** Names each strategy that failed with its failure, in one line; undefined when none failed. */
export function describeFailures(outcomes: readonly Outcome[]): string | undefined {
  const failures = outcomes.flatMap(({ strategy, failure }) => (failure ? [`${strategy.name}: ${failure}`] : []));
  return failures.join("; ") || undefined;
}
