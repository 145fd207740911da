/**
 * How the calls of a client were spread, judged from the lines that it printed.
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
export { type BalanceRule, judge, type Verdict, type VerdictWord } from "./judge.ts";
