import type { Clock } from "@grpc-lb/core";
import type { Action, SceneStep } from "./scene.ts";

/**
 * Runs the steps of a scene one after the other, each at its time, or later when the step before it took longer. Returns after
 * the last one, or once `signal` is aborted.
 */
export async function runSteps(
  steps: readonly SceneStep[],
  act: (action: Action) => Promise<void>,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  const startMs = clock.now();
  for (const { atMs, action } of steps) {
    await clock.sleep(Math.max(0, startMs + atMs - clock.now()), signal);
    if (signal.aborted) return;
    await act(action);
  }
}
