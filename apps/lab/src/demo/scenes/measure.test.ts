import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createStrategies } from "../strategies.ts";
import { judgeScene } from "./judge-scene.ts";
import { measure, type SceneHistory } from "./measure.ts";
import { SceneLog } from "./scene-log.ts";
import { sceneNamed } from "./scenes.ts";

const pods = [1, 2, 3, 4].map((n) => ({ podName: `server-${n}`, pid: n, httpPort: 8000 + n, grpcPort: 9000 + n }));

/** server-2 is killed at 1 s, and server-4 is ready at 2 s; calls count from 4 s to 6 s. */
const history: SceneHistory = {
  startMs: 0,
  afterMs: 4_000,
  endMs: 6_000,
  happenings: [
    { atMs: 1_000, what: "killed", pod: "server-2" },
    { atMs: 2_000, what: "ready", pod: "server-4" },
  ],
  pods,
  published: ["server-1", "server-3", "server-4"],
};

function strategyNamed(name: string) {
  const strategy = createStrategies("round_robin").find((each) => each.name === name);
  assert.ok(strategy);
  return strategy;
}

/** A log of one call every 100 ms, on the pod or with the error that `lineAt` returns. */
function logOf(name: string, lineAt: (ms: number) => string): SceneLog {
  const log = new SceneLog(strategyNamed(name));
  for (let ms = 0, n = 1; ms < 6_000; ms += 100) {
    const text = lineAt(ms);
    log.add(text.startsWith("server-") ? `#${n++}: ${text}` : `Error: ${text}`, ms);
  }
  return log;
}

const inTurn = (names: readonly string[], ms: number) => names[(ms / 100) % names.length] ?? "";

describe("the measurement of a client", () => {
  it("has the times from ready to the first call and from gone to the last, and the shares after the scene", () => {
    const log = logOf("resolver", (ms) => {
      if (ms === 1_100) return "GetPod kubernetes:///server: UNAVAILABLE: connect ECONNREFUSED 127.0.0.1:9002";
      if (ms < 1_100) return inTurn(["server-1", "server-2", "server-3"], ms);
      return inTurn(ms < 2_300 ? ["server-1", "server-3"] : ["server-1", "server-3", "server-4"], ms);
    });
    const { measurement, failure } = judgeScene(log, sceneNamed("kill"), history);
    assert.equal(failure, undefined);
    assert.equal(measurement.failed, 1);
    assert.deepEqual(measurement.firstCalls, [{ pod: "server-4", ms: 300 }]);
    assert.deepEqual(measurement.lastCalls, [{ pod: "server-2", ms: 100, isStillCalled: false }]);
    assert.deepEqual(measurement.callsPerSecond, { before: 10, after: 10 });
    assert.equal(measurement.word, "BALANCED");
  });

  it("says that a pod is never called, and that one that is gone is called still", () => {
    const log = logOf("round_robin", (ms) => {
      const pod = inTurn(["server-1", "server-2", "server-3"], ms);
      // The target has all pods; only the details say which one it was.
      return ms > 1_000 && pod === "server-2"
        ? "GetPod ipv4:127.0.0.1:9001,127.0.0.1:9003: DEADLINE_EXCEEDED: remote_addr=127.0.0.1:9002"
        : pod;
    });
    const { firstCalls, lastCalls, word } = measure(log.lines, history, "round_robin");
    assert.deepEqual(firstCalls, [{ pod: "server-4", ms: undefined }]);
    assert.deepEqual(lastCalls, [{ pod: "server-2", ms: 4_800, isStillCalled: true }]);
    assert.equal(word, "SKEWED");
  });

  it("blames failed calls that name no pod on the pods that are gone, and those of a pod that runs on that one", () => {
    const failed = (details: string) =>
      logOf("clusterip", (ms) => (ms > 2_000 ? `GetPod a: X: ${details}` : "server-1"));
    const lastCallsOf = (details: string) => measure(failed(details).lines, history, "random").lastCalls;
    assert.equal(lastCallsOf("Connection dropped")[0]?.ms, 4_900);
    assert.equal(lastCallsOf("connect ECONNREFUSED 127.0.0.1:9003")[0]?.ms, undefined);
  });

  it("has no verdict when no call succeeded after the scene, and does not count calls before it", () => {
    const log = logOf("clusterip", (ms) => (ms < 3_000 ? "server-2" : "GetPod a: DEADLINE_EXCEEDED: "));
    const { word, verdict, failed, calls } = measure(log.lines, { ...history, startMs: 500 }, "random");
    assert.deepEqual([word, verdict, failed, calls], ["NONE", undefined, 30, 25]);
  });
});

describe("the expectation of a scene", () => {
  it("names the verdict, the failed calls and the late first call that were not expected", () => {
    const log = logOf("resolver", (ms) => {
      if (ms % 1_000 === 0) return "GetPod a: UNAVAILABLE: lost";
      return inTurn(["server-1", "server-3"], ms);
    });
    const { failure } = judgeScene(log, sceneNamed("kill"), history);
    assert.match(
      failure ?? "",
      /^expected BALANCED, got SKEWED \(p = \S+\); expected at most 3 failed calls, got 6, the last: /,
    );
    assert.match(failure ?? "", /; expected a call on server-4 within \d+ ms, got none$/);
  });

  it("asks for no call on a certain pod under a policy that does not spread calls", () => {
    for (const strategy of createStrategies("ring_hash").slice(2, 4)) {
      const log = new SceneLog(strategy);
      for (let n = 1; n <= 60; n++) log.add(`#${n}: server-1`, n * 100);
      for (const scene of ["kill", "freeze"] as const) {
        assert.equal(judgeScene(log, sceneNamed(scene), history).failure, undefined, `${strategy.name} in ${scene}`);
      }
    }
  });
});
