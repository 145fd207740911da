import { chiSquare, chiSquareTail } from "./chi-square.ts";

/** `BALANCED`: as the rule says. `PINNED`: one pod has everything. `SKEWED`: neither. */
export type VerdictWord = "BALANCED" | "SKEWED" | "PINNED";

/**
 * What calls should look like. `round_robin`: counts that differ by at most one. `random`: a uniform draw for each call,
 * which is refused only when chance would deal so uneven a hand less than once in a thousand times.
 */
export type BalanceRule = "round_robin" | "random";

/** How the calls of one client were spread, in numbers and in one word. */
export interface Verdict {
  readonly word: VerdictWord;
  readonly calls: number;
  /** Calls by pod, in the order of the pods that were given; pods without a call have 0. */
  readonly perPod: ReadonlyMap<string, number>;
  /** 1/Σp²: how many pods carried the load, 1 when one has it all, n when n share it equally. */
  readonly effectiveBackends: number;
  /** Pearson's statistic against equal shares. */
  readonly chiSquare: number;
  /** The probability of a statistic as large by chance alone. */
  readonly pValue: number;
}

const leastProbability = 0.001;

/**
 * Judges how calls were spread.
 *
 * @param calls the pod that answered, for each call of the window, in order
 * @param pods the pods that could have answered, at least two; others that did are added behind them
 * @throws RangeError when there is nothing to judge: fewer than two pods, or no call
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
  const isBalanced =
    rule === "round_robin" ? Math.max(...counts) - Math.min(...counts) <= 1 : pValue >= leastProbability;
  const isPinned = counts.filter((count) => count > 0).length === 1;
  return {
    // One pod is pinned whatever the rule makes of few calls: nobody who sees one name would call that balanced.
    word: isPinned ? "PINNED" : isBalanced ? "BALANCED" : "SKEWED",
    calls: calls.length,
    perPod,
    effectiveBackends: calls.length ** 2 / counts.reduce((sum, count) => sum + count ** 2, 0),
    chiSquare: statistic,
    pValue,
  };
}
