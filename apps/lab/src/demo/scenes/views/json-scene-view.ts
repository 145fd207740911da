import { describeSkipped, type SkippedStrategy } from "../../choose-strategies.ts";
import type { Pod } from "../../pods.ts";
import type { SceneOutcome } from "../judge-scene.ts";
import type { Happening } from "../pod-fleet.ts";
import type { SceneObserver } from "../run-scene.ts";
import { describeHappening, sinceStart } from "./describe-happening.ts";
import type { SceneResult } from "./scene-table.ts";

/** The streams and the time of a JsonSceneView. */
export interface JsonSceneOutput {
  writeOut(text: string): void;
  writeErr(text: string): void;
  now(): number;
}

/** Prints the result of a scene as one JSON object on stdout; before that what happens on stderr. */
export class JsonSceneView implements SceneObserver {
  readonly #skipped: readonly SkippedStrategy[];
  readonly #output: JsonSceneOutput;
  #startMs = 0;

  constructor(skipped: readonly SkippedStrategy[], output: JsonSceneOutput) {
    this.#skipped = skipped;
    this.#output = output;
    this.#progress("starting pods and clients");
  }

  onServing(pods: readonly Pod[]): void {
    for (const each of this.#skipped) this.#progress(describeSkipped([each]));
    for (const { podName, pid, httpPort, grpcPort } of pods) {
      this.#progress(`${podName} serves, pid ${pid}, HTTP port ${httpPort}, gRPC port ${grpcPort}`);
    }
  }

  onRunning(): void {
    this.#startMs = this.#output.now();
    this.#progress("the clients call");
  }

  onHappening(happening: Happening): void {
    this.#progress(`${sinceStart(happening.atMs, this.#startMs)}: ${describeHappening(happening)}`);
  }

  onCall(): void {}

  onAfter(): void {
    this.#progress("calls count for the verdict");
  }

  showResult({ scene, history, outcomes, skipped }: SceneResult): void {
    const since = (ms: number) => Math.round(ms - history.startMs);
    const report = {
      scene: scene.name,
      ok: outcomes.every(({ failure }) => failure === undefined),
      happenings: history.happenings.map(({ atMs, ...rest }) => ({ atMs: since(atMs), ...rest })),
      countedFromMs: since(history.afterMs),
      endMs: since(history.endMs),
      strategies: outcomes.map(reportOf),
      skipped,
    };
    this.#output.writeOut(`${JSON.stringify(report, null, 2)}\n`);
  }

  close(): void {}

  #progress(text: string): void {
    this.#output.writeErr(`lab: ${text}\n`);
  }
}

function reportOf({ strategy, measurement, expected, why, failure }: SceneOutcome) {
  const { calls, failed, firstCalls, lastCalls, callsPerSecond, verdict, word } = measurement;
  const rounded = (ms: number | undefined) => (ms === undefined ? null : Math.round(ms));
  const perSecond = (rate: number) => Math.round(rate * 10) / 10;
  return {
    name: strategy.name,
    rule: strategy.rule,
    calls,
    failed,
    /** For each new pod, from ready to the first call; null without a call. */
    firstCallMs: Object.fromEntries(firstCalls.map(({ pod, ms }) => [pod, rounded(ms)])),
    lastCallMs: Object.fromEntries(lastCalls.map(({ pod, ms }) => [pod, rounded(ms)])),
    stillCalled: lastCalls.flatMap(({ pod, isStillCalled }) => (isStillCalled ? [pod] : [])),
    callsPerSecond: { before: perSecond(callsPerSecond.before), after: perSecond(callsPerSecond.after) },
    perPodAfter: Object.fromEntries(verdict?.perPod ?? []),
    verdict: word,
    expected: expected.length === 0 ? "any" : expected.join(" or "),
    effectiveBackends: verdict?.effectiveBackends ?? null,
    pValue: verdict?.pValue ?? null,
    why,
    ok: failure === undefined,
    ...(failure === undefined ? {} : { failure }),
  };
}
