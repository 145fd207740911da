import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { podsOfScene, sceneNames } from "./scene.ts";
import { createScenePlan } from "./scene-plan.ts";
import { sceneNamed } from "./scenes.ts";

const flags = { afterMs: undefined, intervalMs: undefined, settleMs: 2_000, servers: 3, seed: 1 };

describe("the scenes", () => {
  for (const name of sceneNames) {
    const scene = sceneNamed(name);

    it(`${name} only changes pods that run`, () => {
      const running = new Set(podsOfScene({ steps: [] }));
      for (const { action } of scene.steps) {
        if (action.t === "start") for (const pod of action.pods) running.add(pod);
        else if (action.t === "drain") for (const pod of action.pods) assert.ok(running.delete(pod), pod);
        else if ("pod" in action) assert.ok(running.has(action.pod), action.pod);
        if (action.t === "kill") running.delete(action.pod);
      }
    });

    it(`${name} is explained in lines that fit into 80 columns`, () => {
      assert.ok(`${name}: ${scene.summary}`.length <= 78, scene.summary);
      for (const { why } of Object.values(scene.expectations)) assert.ok(why.length <= 76, why);
    });
  }

  it("name their pods in the order in which they start", () => {
    assert.deepEqual(podsOfScene(sceneNamed("kill")), ["server-1", "server-2", "server-3", "server-4"]);
  });
});

describe("the plan of a scene", () => {
  it("rejects another number of servers", () => {
    assert.throws(() => createScenePlan("kill", { ...flags, servers: 5 }), {
      message: "--servers (SERVERS) must be 3 for --scene kill, got 5",
    });
  });

  it("rejects a time that is too short for a verdict", () => {
    assert.throws(() => createScenePlan("kill", { ...flags, afterMs: 100 }), {
      message:
        /^--duration \(DURATION\) 100ms with --interval \(INTERVAL\) 50ms allows at most 2 calls per client after/,
    });
  });
});
