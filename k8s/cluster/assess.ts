import { type Expectation, judge, type Verdict } from "@grpc-lb/verdict";
import type { CallWindow } from "./call-window.ts";

/** The calls of a client with their verdict, compared with what they must look like. */
export interface Assessment {
  /** Undefined without a call. */
  readonly verdict: Verdict | undefined;
  readonly failedCalls: number;
  /** What must be and what is; null if it is as it must be. */
  readonly failure: string | null;
}

/** Judges calls by the rule of what is expected of them. No call may fail. */
export function assess(window: CallWindow, pods: readonly string[], expectation: Expectation): Assessment {
  const { rule, expected } = expectation;
  const verdict = window.calls.length === 0 ? undefined : judge(window.calls, pods, rule);
  const failures: string[] = [];
  if (verdict === undefined) failures.push("expected calls, got none");
  else if (!expected.includes(verdict.word)) failures.push(`expected ${expected.join(" or ")}, got ${verdict.word}`);
  const failedCalls = window.errors.length;
  if (failedCalls > 0) failures.push(`expected no failed call, got ${failedCalls}, the last: ${window.errors.at(-1)}`);
  return { verdict, failedCalls, failure: failures.join("; ") || null };
}

/** How many pods answered, of how many: `2 of 3`. */
export function describeReach({ perPod }: Verdict): string {
  const counts = [...perPod.values()];
  return `${counts.filter((count) => count > 0).length} of ${counts.length}`;
}

/** The share of each pod in percent, `34 33 33 %`; of many pods only the least and the greatest. */
export function describeShares({ perPod, calls }: Verdict): string {
  const counts = [...perPod.values()];
  const percent = (count: number) => String(Math.round((100 * count) / calls));
  if (counts.length <= shownShares) return `${counts.map(percent).join(" ")} %`;
  return `${percent(Math.min(...counts))} to ${percent(Math.max(...counts))} %`;
}

const shownShares = 5;
