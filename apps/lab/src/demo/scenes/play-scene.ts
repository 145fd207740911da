import { systemClock } from "@grpc-lb/core";
import type { SkippedStrategy } from "../choose-strategies.ts";
import type { Strategy } from "../strategies.ts";
import { describeSceneFailures, judgeScene } from "./judge-scene.ts";
import { runScene, type ScenePlan } from "./run-scene.ts";
import { runSteps } from "./run-steps.ts";
import type { Scene } from "./scene.ts";
import { SceneLog } from "./scene-log.ts";
import { JsonSceneView } from "./views/json-scene-view.ts";
import { LiveSceneView } from "./views/live-scene-view.ts";
import { PlainSceneView } from "./views/plain-scene-view.ts";

/** A scene, who plays in it, and how to show it. */
export interface PlayOptions {
  readonly scene: Scene;
  readonly plan: ScenePlan;
  readonly strategies: readonly Strategy[];
  readonly skipped: readonly SkippedStrategy[];
  readonly isJson: boolean;
  readonly signal: AbortSignal;
}

/**
 * Plays a scene and shows what each client went through.
 *
 * @returns what was not as expected, in one line; undefined when all was
 * @throws as `runScene` does
 */
export async function playScene(options: PlayOptions): Promise<string | undefined> {
  const { scene, plan, strategies, skipped, signal } = options;
  const clock = systemClock;
  const logs = strategies.map((strategy) => new SceneLog(strategy));
  const view = createView(options, logs);
  try {
    const history = await runScene({
      ...{ plan, logs, observer: view, clock, signal },
      direct: (fleet, stopped) => runSteps(scene.steps, (action) => fleet.act(action), clock, stopped),
    });
    const outcomes = logs.map((log) => judgeScene(log, scene, history));
    view.showResult({ scene, history, outcomes, skipped });
    return describeSceneFailures(outcomes);
  } finally {
    view.close();
  }
}

function createView(
  { scene, plan, strategies, skipped, isJson }: PlayOptions,
  logs: readonly SceneLog[],
): JsonSceneView | LiveSceneView | PlainSceneView {
  const { stdout, stderr, env } = process;
  const write = (text: string) => void stdout.write(text);
  const now = () => systemClock.now();
  if (isJson) {
    return new JsonSceneView(skipped, { writeOut: write, writeErr: (text) => void stderr.write(text), now });
  }
  if (!stdout.isTTY || env.TERM === "dumb") return new PlainSceneView({ scene, strategies, skipped, write, now });
  const look = { clock: systemClock, terminal: stdout, isColoured: !env.NO_COLOR };
  return new LiveSceneView({ scene, logs, skipped, intervalMs: plan.intervalMs, pods: plan.pods, ...look });
}
