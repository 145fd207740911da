import type { Scene, SceneName, SceneScript } from "./scene.ts";
import { freeze } from "./scripts/freeze.ts";
import { hands } from "./scripts/hands.ts";
import { kill } from "./scripts/kill.ts";
import { outage } from "./scripts/outage.ts";
import { rolling } from "./scripts/rolling.ts";
import { scale } from "./scripts/scale.ts";
import { slow } from "./scripts/slow.ts";

const scripts: Readonly<Record<SceneName, SceneScript>> = { scale, kill, freeze, slow, rolling, outage, hands };

/** Returns a scene by its name. */
export function sceneNamed(name: SceneName): Scene {
  return { name, ...scripts[name] };
}
