import { chiSquare, chiSquareTail } from "./chi-square.ts";

/** `BALANCED`: within the rule. `PINNED`: one pod answered every call. `SKEWED`: neither. */
export type VerdictWord = "BALANCED" | "SKEWED" | "PINNED";

/**
 * The rule that balanced calls follow. `round_robin`: the counts differ by at most one. `random`: each call is a uniform draw;
 * the calls count as skewed when chance alone gives counts so uneven with a probability below 0.001.
 */
export type BalanceRule = "round_robin" | "random";

/** The spread of one client's calls, in numbers and in one word. */
export interface Verdict {
  readonly word: VerdictWord;
  readonly calls: number;
  /** Calls by pod, in the order of the pods that were given; pods without a call have 0. */
  readonly perPod: ReadonlyMap<string, number>;
  /** 1/Σp²: 1 when one pod has every call, n when n pods have the same number. */
  readonly effectiveBackends: number;
  /** Pearson's statistic against equal shares. */
  readonly chiSquare: number;
  /** The probability that chance alone gives a statistic at least as large. */
  readonly pValue: number;
}

const minProbability = 0.001;

/**
 * Judges how calls were spread.
 *
 * @param calls the pod that answered, one entry per call; the order does not count
 * @param pods the pods that could have answered; pods in `calls` that are not here are added behind them
 * @throws RangeError when there are fewer than two pods, or no call
 */
export function judge(calls: readonly string[], pods: readonly string[], rule: BalanceRule): Verdict {
  const perPod = new Map(pods.map((pod) => [pod, 0]));
  for (const pod of calls) perPod.set(pod, (perPod.get(pod) ?? 0) + 1);
  if (perPod.size < 2) throw new RangeError(`a verdict needs at least 2 pods, got ${perPod.size}`);
  if (calls.length === 0) throw new RangeError("a verdict needs at least 1 call, got 0");

  const counts = [...perPod.values()];
  const statistic = chiSquare(
    counts,
    counts.map(() => calls.length / counts.length),
  );
  const pValue = chiSquareTail(statistic, counts.length - 1);
  const isBalanced = rule === "round_robin" ? Math.max(...counts) - Math.min(...counts) <= 1 : pValue >= minProbability;
  const isPinned = counts.filter((count) => count > 0).length === 1;
  return {
    // Also when the calls are so few that the rule alone would accept them.
    word: isPinned ? "PINNED" : isBalanced ? "BALANCED" : "SKEWED",
    calls: calls.length,
    perPod,
    effectiveBackends: calls.length ** 2 / counts.reduce((sum, count) => sum + count ** 2, 0),
    chiSquare: statistic,
    pValue,
  };
}
