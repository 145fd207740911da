import { formatDuration } from "@grpc-lb/core";
import type { ScenePlan } from "./run-scene.ts";
import { type SceneName, scenePods } from "./scene.ts";

/** The values of the flags of a scene; undefined for a default. */
export interface SceneFlags {
  readonly afterMs: number | undefined;
  readonly intervalMs: number | undefined;
  readonly settleMs: number;
  readonly servers: number;
  readonly seed: number;
}

/**
 * Creates the plan of a scene.
 *
 * @throws RangeError when the scene needs another number of pods, or the calls after it are too few for a verdict
 */
export function createScenePlan(name: SceneName, flags: SceneFlags): ScenePlan {
  const { afterMs = 4_000, intervalMs = 50, settleMs, servers, seed } = flags;
  if (servers !== scenePods && name !== "hands") {
    throw new RangeError(`--servers (SERVERS) must be ${scenePods} for --scene ${name}, got ${servers}`);
  }
  const needed = callsPerPod * mostPodsAfter;
  if (afterMs < needed * intervalMs) {
    const given = `--duration (DURATION) ${formatDuration(afterMs)} with --interval (INTERVAL) ${formatDuration(intervalMs)}`;
    throw new RangeError(
      `${given} allows at most ${Math.floor(afterMs / intervalMs)} calls per client after a scene; a verdict needs ${needed}`,
    );
  }
  const pods = Array.from({ length: servers }, (_, i) => `server-${i + 1}`);
  return { pods, intervalMs, afterMs, settleMs, seed };
}

/** Cochran's rule: the chi-square test needs an expected count of at least 5 in each cell. */
const callsPerPod = 5;
const mostPodsAfter = 3;
