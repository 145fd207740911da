import { formatDuration } from "@grpc-lb/core";
import { judge, type Verdict } from "@grpc-lb/verdict";
import type { ClientLog } from "./client-log.ts";
import { neededCalls, type Plan, podNames } from "./plan.ts";
import type { Strategy } from "./strategies.ts";

/** What a strategy has shown. */
export interface Outcome {
  readonly strategy: Strategy;
  /** Undefined when there were too few calls for one. */
  readonly verdict: Verdict | undefined;
  /** How many calls failed. */
  readonly errors: number;
  /** What is not as it must be; undefined when the strategy showed what it must and no call failed. */
  readonly failure: string | undefined;
}

/** Judges what a client said in a whole run: the calls after the warm-up, and every error. */
export function judgeClient(log: ClientLog, plan: Plan): Outcome {
  const { strategy, calls, judgedCalls, errors } = log;
  const hasEnough = calls >= neededCalls(plan);
  const verdict = hasEnough ? judge(judgedCalls, podNames(plan), strategy.rule) : undefined;
  const failures: string[] = [];
  if (errors > 0) failures.push(`expected no failed call, got ${errors}, the last: ${log.lastError}`);
  if (!verdict) {
    const got = `got ${calls} in ${formatDuration(plan.durationMs)}`;
    failures.push(`expected at least ${neededCalls(plan)} calls for a verdict, ${got}`);
  } else if (!strategy.expected.includes(verdict.word)) {
    failures.push(
      `expected ${strategy.expected.join(" or ")}, got ${verdict.word} (p = ${verdict.pValue.toPrecision(2)})`,
    );
  }
  return { strategy, verdict, errors, failure: failures.join("; ") || undefined };
}

/** One line that says which strategies failed and what was expected of them; undefined when all is as it must be. */
export function describeFailures(outcomes: readonly Outcome[]): string | undefined {
  const failures = outcomes.flatMap(({ strategy, failure }) => (failure ? [`${strategy.name}: ${failure}`] : []));
  return failures.join("; ") || undefined;
}
