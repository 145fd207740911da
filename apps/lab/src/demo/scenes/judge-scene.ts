import type { Strategy } from "../strategies.ts";
import { type Measurement, measure, type SceneHistory } from "./measure.ts";
import type { Scene, SceneExpectation, SceneWord } from "./scene.ts";
import type { SceneLog } from "./scene-log.ts";

/** The result of a strategy in a scene. */
export interface SceneOutcome {
  readonly strategy: Strategy;
  readonly measurement: Measurement;
  /** The verdicts of which one was expected; empty when any is right. */
  readonly expected: readonly SceneWord[];
  readonly why: string;
  /** What was expected and what happened; undefined when all is as expected. */
  readonly failure: string | undefined;
}

/** Measures a client's calls in a scene and compares them with what the scene expects of its strategy. */
export function judgeScene(log: SceneLog, scene: Scene, history: SceneHistory): SceneOutcome {
  const { strategy } = log;
  const expectation = scene.expectations[strategy.learning];
  const measurement = measure(log.lines, history, strategy.rule);
  const expected = expectedWords(expectation, strategy);
  const failures: string[] = [];
  const { word, failed } = measurement;
  if (expected.length > 0 && !expected.includes(word)) {
    const p = measurement.verdict && ` (p = ${measurement.verdict.pValue.toPrecision(2)})`;
    failures.push(`expected ${expected.join(" or ")}, got ${word}${p ?? ""}`);
  }
  const { maxFailed } = expectation;
  // A policy that does not spread calls may leave out the very pod that changes.
  const { minFailed = 0, maxFirstCallMs = undefined } = isSpreading(strategy) ? expectation : {};
  if (failed < minFailed) failures.push(`expected at least ${minFailed} failed calls, got ${failed}`);
  if (maxFailed !== undefined && failed > maxFailed) {
    failures.push(`expected at most ${maxFailed} failed calls, got ${failed}, the last: ${lastError(log)}`);
  }
  for (const { pod, ms } of maxFirstCallMs === undefined ? [] : measurement.firstCalls) {
    if (ms !== undefined && ms <= (maxFirstCallMs ?? 0)) continue;
    const got = ms === undefined ? "got none" : `got it after ${Math.round(ms)} ms`;
    failures.push(`expected a call on ${pod} within ${maxFirstCallMs} ms, ${got}`);
  }
  return { strategy, measurement, expected, why: expectation.why, failure: failures.join("; ") || undefined };
}

/** Whether every pod must get calls: not under every policy. */
const isSpreading = ({ learning, expected }: Strategy) =>
  learning === "age" || learning === "break" || expected.every((word) => word === "BALANCED");

/** A policy that does not spread calls has another verdict, and only the strategy's own expectation knows which. */
function expectedWords({ expected }: SceneExpectation, strategy: Strategy): readonly SceneWord[] {
  if (expected === "policy") return strategy.expected;
  if (expected === "any") return [];
  return isSpreading(strategy) ? expected : [];
}

const lastError = ({ lines }: SceneLog) =>
  lines.flatMap(({ line }) => (line.t === "error" ? [line.reason] : [])).at(-1) ?? "";

/** Names each strategy that failed with its failure, in one line; undefined when none failed. */
export function describeSceneFailures(outcomes: readonly SceneOutcome[]): string | undefined {
  const failures = outcomes.flatMap(({ strategy, failure }) => (failure ? [`${strategy.name}: ${failure}`] : []));
  return failures.join("; ") || undefined;
}
