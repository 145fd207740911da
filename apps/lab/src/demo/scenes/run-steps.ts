import type { Clock } from "@grpc-lb/core";
import type { Action, SceneStep } from "./scene.ts";

/**
 * Runs the steps of a scene one after the other, each after its pause, however long the step before it took. Returns after the
 * last one, or once `signal` is aborted.
 */
export async function runSteps(
  steps: readonly SceneStep[],
  act: (action: Action) => Promise<void>,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  for (const { afterMs, action } of steps) {
    await clock.sleep(afterMs, signal);
    if (signal.aborted) return;
    await act(action);
  }
}
