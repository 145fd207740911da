import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { describe, it } from "node:test";
import { ManualClock } from "@grpc-lb/core/testing";
import { createTerminal, feed, readText } from "../../../terminal/emulator.ts";
import type { Pod } from "../../pods.ts";
import { createStrategies } from "../../strategies.ts";
import { judgeScene } from "../judge-scene.ts";
import type { Happening } from "../pod-fleet.ts";
import { SceneLog } from "../scene-log.ts";
import { sceneNamed } from "../scenes.ts";
import { LiveSceneView } from "./live-scene-view.ts";

const names = ["server-1", "server-2", "server-3", "server-4"];
const pods = names.map((podName, i): Pod => ({ podName, pid: i, httpPort: 8001 + i, grpcPort: 9001 + i }));
const killed: Happening = { atMs: 1_000, what: "killed", pod: "server-2" };
const ready: Happening = { atMs: 2_000, what: "ready", pod: "server-4" };

/** Shows the scene kill in an emulated terminal of 80x24, with the first `count` strategies. */
function show(count: number) {
  const emulator = createTerminal(80, 24);
  const terminal = Object.assign(new EventEmitter(), {
    columns: 80,
    rows: 24,
    write: (text: string) => emulator.write(text.replaceAll("\r\n", "\n").replaceAll("\n", "\r\n")),
  });
  terminal.write("$ ls\n".repeat(30));
  const clock = new ManualClock();
  const scene = sceneNamed("kill");
  const logs = createStrategies("round_robin")
    .slice(0, count)
    .map((strategy) => new SceneLog(strategy));
  const first = names.slice(0, 3);
  const view = new LiveSceneView({
    ...{ scene, logs, skipped: [], intervalMs: 50, pods: first, clock, terminal, isColoured: true },
  });
  return {
    view,
    clock,
    /** The fleet after server-2 was killed and server-4 has started. */
    fleet: { pods, running: pods.filter(({ podName }) => podName !== "server-2") },
    async repaint() {
      await clock.asleep();
      clock.advance(100);
      await clock.asleep();
    },
    /** Each client calls the pods in turn. */
    call(podNames: readonly string[], times: number) {
      for (let n = 1; n <= times; n++) {
        for (const log of logs) log.add(`#${n}: ${podNames[n % podNames.length]}`, clock.now());
        clock.advance(50);
      }
    },
    /** Calls of the first client fail. */
    fail(times: number) {
      for (let n = 0; n < times; n++) logs[0]?.add("Error: GET http://127.0.0.1:8001/pod: ECONNREFUSED", clock.now());
    },
    async read() {
      await feed(emulator, "");
      return readText(emulator);
    },
    end() {
      const published = names.filter((name) => name !== "server-2");
      const history = { startMs: 0, afterMs: 0, endMs: clock.now(), happenings: [killed, ready], pods, published };
      view.showResult({ scene, history, skipped: [], outcomes: logs.map((log) => judgeScene(log, scene, history)) });
    },
  };
}

describe("the live view of a scene", () => {
  it("counts the failed calls from the start of the scene, as its result does", async (t) => {
    const shown = show(4);
    t.after(() => shown.view.close());
    shown.fail(1);
    await shown.repaint();
    assert.match((await shown.read()).join("\n"), / 1 failed/);
    shown.view.onRunning(shown.fleet);
    shown.call(["server-1", "server-3"], 4);
    await shown.repaint();
    assert.doesNotMatch((await shown.read()).join("\n"), /failed/);
    shown.fail(2);
    await shown.repaint();
    assert.match((await shown.read()).join("\n"), / 2 failed/);
  });

  it("shows what happens from the start, and each client's calls per pod that runs", async (t) => {
    const shown = show(4);
    t.after(() => shown.view.close());
    assert.ok((await shown.read()).includes(" starting servers …"));
    shown.view.onServing();
    shown.call(["server-1"], 1);
    await shown.repaint();
    assert.ok((await shown.read()).includes(" starting clients … 4 of 4 have called"));
    shown.view.onRunning(shown.fleet);
    shown.view.onHappening({ ...killed, atMs: shown.clock.now() + 1_000 });
    shown.call(["server-1", "server-3", "server-4"], 30);
    await shown.repaint();
    const lines = (await shown.read()).join("\n");
    assert.match(lines, /^ kill: SIGKILL ends server-2/m);
    assert.match(lines, /^ +1\.0 s {2}server-2 is killed \(SIGKILL\)$/m);
    assert.match(lines, /^ server-4 █/m);
    assert.doesNotMatch(lines, /^ server-2/m);
  });

  for (const count of [4, 8, 12]) {
    it(`ends with the whole table of ${count} strategies as the last thing on a screen of 80x24`, async () => {
      const shown = show(count);
      shown.view.onRunning(shown.fleet);
      shown.call(["server-1", "server-3", "server-4"], 30);
      await shown.repaint();
      shown.end();
      const lines = (await shown.read()).join("\n").trimEnd().split("\n");
      const from = lines.findIndex((line) => line.startsWith(" strategy "));
      const rows = lines.slice(from + 2).filter((line) => / (BALANCED|SKEWED|PINNED)$/.test(line));
      assert.equal(rows.length, count, lines.join("\n"));
      assert.match(lines.at(-1) ?? "", /^ {3}\S|(BALANCED|SKEWED)$/);
      assert.equal(shown.clock.sleeping, 0, "timers of the view");
    });
  }
});
