import { systemClock } from "@grpc-lb/core";
import { readKeys } from "../../terminal/keys.ts";
import type { SkippedStrategy } from "../choose-strategies.ts";
import type { Strategy } from "../strategies.ts";
import { Hands, keysLine } from "./hands.ts";
import { describeSceneFailures, judgeScene } from "./judge-scene.ts";
import type { PodFleet } from "./pod-fleet.ts";
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
 * Plays a scene and shows what each client went through. In `hands`, a person at the terminal changes the pods by keys.
 *
 * @returns what was not as expected, in one line; undefined when all was
 * @throws as `runScene` does
 */
export async function playScene(options: PlayOptions): Promise<string | undefined> {
  const { scene, strategies, skipped, signal } = options;
  const plan = { ...options.plan, settleMs: Math.max(options.plan.settleMs, scene.settleMs ?? 0) };
  const clock = systemClock;
  const logs = strategies.map((strategy) => new SceneLog(strategy));
  const view = createView(options, logs);
  let hands: Hands | undefined;
  let keys: { close(): void } | undefined;
  const direct = async (fleet: PodFleet, stopped: AbortSignal) => {
    if (scene.name !== "hands" || !(view instanceof LiveSceneView)) {
      await runSteps(scene.steps, (action) => fleet.act(action), clock, stopped);
      return;
    }
    hands = new Hands(fleet, (text) => view.showNote(text));
    await hands.ended;
    view.showNote("wait: calls are counted for the verdict …");
  };
  try {
    if (scene.name === "hands" && view instanceof LiveSceneView) {
      // From the start: a key that nobody reads is echoed into the board, and would have its effect later.
      keys = readKeys(process.stdin, (key) => (hands ? hands.press(key) : view.showNote(stillStarting)));
    }
    const history = await runScene({ plan, logs, observer: view, clock, signal, direct });
    const outcomes = logs.map((log) => judgeScene(log, scene, history));
    view.showResult({ scene, history, outcomes, skipped });
    return describeSceneFailures(outcomes);
  } finally {
    keys?.close(); // only now, or a key would be echoed into the board
    view.close();
  }
}

/** The answer to a key before every client calls. */
const stillStarting = "the clients still start";

/**
 * Checks that there is a terminal with keys and a screen for a scene that needs one.
 *
 * @throws RangeError when there is none
 */
export function requireTerminal({ name }: Pick<Scene, "name">, isJson: boolean): void {
  const { stdin, stdout, env } = process;
  if (name !== "hands" || (stdin.isTTY && stdout.isTTY && env.TERM !== "dumb" && !isJson)) return;
  throw new RangeError("--scene (SCENE) hands needs a terminal for its keys, and no --json");
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
  const hint = scene.name === "hands" ? { hint: keysLine } : {};
  return new LiveSceneView({ scene, ...hint, logs, skipped, intervalMs: plan.intervalMs, pods: plan.pods, ...look });
}
