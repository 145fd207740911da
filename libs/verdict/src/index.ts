/**
 * Judges from the lines of a client how its calls were spread over the pods: balanced, skewed or pinned.
 *
 * ```ts
 * import { judge, parseCallLine } from "@grpc-lb/verdict";
 *
 * const calls = ["#1: a", "#2: b", "#3: a", "#4: b"].map(parseCallLine).flatMap((l) => (l?.t === "call" ? [l.pod] : []));
 * judge(calls, ["a", "b"], "round_robin").word; // "BALANCED"
 * ```
 */
export { type CallLine, parseCallLine } from "./call-line.ts";
export { chiSquare, chiSquareTail } from "./chi-square.ts";
export { type Expectation, expectationOfPolicy, expectationOfStrategy } from "./expectation.ts";
export { type BalanceRule, judge, type Verdict, type VerdictWord } from "./judge.ts";
