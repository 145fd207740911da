import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ManualClock } from "@grpc-lb/core/testing";
import { runSteps } from "./run-steps.ts";
import type { Action, SceneStep } from "./scene.ts";

const steps: readonly SceneStep[] = [
  { afterMs: 1_000, action: { t: "kill", pod: "server-2" } },
  { afterMs: 1_000, action: { t: "start", pods: ["server-4"] } },
  { afterMs: 500, action: { t: "drain", pods: ["server-1"] } },
];

describe("the steps of a scene", () => {
  it("run each after its pause, however long the step before took", async () => {
    const clock = new ManualClock();
    const acted: string[] = [];
    const act = async (action: Action) => {
      acted.push(`${clock.now()} ${action.t}`);
      if (action.t === "start") await clock.sleep(800);
    };
    const done = runSteps(steps, act, clock, new AbortController().signal);
    for (const ms of [1_000, 1_000, 800, 500]) {
      await clock.asleep();
      clock.advance(ms);
    }
    await done;
    assert.deepEqual(acted, ["1000 kill", "2000 start", "3300 drain"]);
    assert.equal(clock.sleeping, 0);
  });

  it("stop when the scene is stopped", async () => {
    const clock = new ManualClock();
    const stop = new AbortController();
    const acted: string[] = [];
    const done = runSteps(steps, async ({ t }) => void acted.push(t), clock, stop.signal);
    await clock.asleep();
    clock.advance(1_000);
    await clock.asleep();
    stop.abort();
    await done;
    assert.deepEqual(acted, ["kill"]);
    assert.equal(clock.sleeping, 0);
  });
});
