import { type BalanceRule, judge } from "@grpc-lb/verdict";
import type { PageVerdict } from "../page/protocol.ts";

interface EndedCall {
  readonly atMs: number;
  readonly pod: string | null;
  readonly ms: number | null;
}

/** How long a call counts for rates and times. */
const windowMs = 10_000;
/** Bounds what a busy client makes this process hold. */
const maxCalls = 20_000;
/** How long after the first answer, or a change of the pods, calls are not judged, because connections are opening or break. */
const settleMs = 2_000;
/** How many calls a pod are judged, the latest ones. */
const judgedPerPod = 30;
/** Cochran's rule: the chi-square test needs an expected count of at least 5 in each cell. */
const neededPerPod = 5;

/** The numbers of one client. Times are of the caller's clock and never go back. */
export class ClientStats {
  readonly #rule: BalanceRule;
  #calls = 0;
  #failed = 0;
  #lastError = "";
  /** Those of the window, the oldest first. */
  readonly #recent: EndedCall[] = [];
  /** The pods that answered since the pods changed and clients have settled, the latest last. */
  #answers: string[] = [];
  /** When the first answer came, or the pods have changed since; unknown before it. */
  #changedMs: number | undefined;

  constructor(rule: BalanceRule) {
    this.#rule = rule;
  }

  get calls(): number {
    return this.#calls;
  }

  get failed(): number {
    return this.#failed;
  }

  get lastError(): string {
    return this.#lastError;
  }

  add(call: EndedCall, error: string): void {
    this.#recent.push(call);
    if (this.#recent.length > maxCalls) this.#recent.shift();
    if (call.pod === null) {
      this.#failed += 1;
      this.#lastError = error;
    } else {
      this.#calls += 1;
      this.#changedMs ??= call.atMs;
      if (call.atMs - this.#changedMs >= settleMs) this.#answers.push(call.pod);
      if (this.#answers.length > maxCalls) this.#answers.shift();
    }
  }

  /** The pods have changed: calls before are not judged any more. */
  restart(atMs: number): void {
    this.#answers = [];
    if (this.#changedMs !== undefined) this.#changedMs = atMs;
  }

  /** Calls a second and the times of calls, over the last ten seconds or since `startMs`. */
  rates(nowMs: number, startMs: number) {
    const sinceMs = nowMs - windowMs;
    const old = this.#recent.findIndex(({ atMs }) => atMs > sinceMs);
    this.#recent.splice(0, old < 0 ? this.#recent.length : old);
    const times = this.#recent
      .flatMap(({ pod, ms }) => (pod !== null && ms !== null ? [ms] : []))
      .sort((a, b) => a - b);
    const seconds = Math.max(1, Math.min(windowMs, nowMs - startMs) / 1_000);
    return {
      callsPerSecond: this.#recent.filter(({ pod }) => pod !== null).length / seconds,
      p50Ms: quantile(times, 0.5),
      p99Ms: quantile(times, 0.99),
    };
  }

  /** How many calls succeeded after a time of the window. */
  succeededSince(ms: number): number {
    return this.#recent.filter(({ atMs, pod }) => atMs > ms && pod !== null).length;
  }

  /**
   * @param pods those that the client should call now
   * @param letterOf the letter of a pod on the page
   */
  verdict(pods: readonly string[], letterOf: (pod: string) => string): PageVerdict {
    const known = new Set([...pods, ...this.#answers.slice(-judgedPerPod * Math.max(2, pods.length))]).size;
    const judged = this.#answers.slice(-judgedPerPod * Math.max(2, known));
    const needed = neededPerPod * Math.max(2, known);
    const perLetter = new Map<string, number>();
    for (const letter of judged.map(letterOf)) perLetter.set(letter, (perLetter.get(letter) ?? 0) + 1);
    const isJudged = judged.length >= needed && known >= 2;
    const word = isJudged ? judge(judged, pods, this.#rule).word : null;
    return { word, calls: judged.length, needed, pods: known, perLetter: Object.fromEntries(perLetter) };
  }
}

function quantile(sorted: readonly number[], q: number): number | null {
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * q) - 1)] ?? null;
}
