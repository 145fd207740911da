import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { widthOf } from "../../../terminal/line.ts";
import { paint } from "../../../terminal/paint.ts";
import { createStrategies } from "../../strategies.ts";
import { judgeScene } from "../judge-scene.ts";
import { SceneLog } from "../scene-log.ts";
import { sceneNamed } from "../scenes.ts";
import { renderSceneResult } from "./scene-table.ts";

const pods = [1, 2, 3, 4].map((n) => ({ podName: `server-${n}`, pid: n, httpPort: 8000 + n, grpcPort: 9000 + n }));
const history = {
  startMs: 0,
  afterMs: 3_000,
  endMs: 6_000,
  happenings: [
    { atMs: 1_000, what: "killed", pod: "server-2" },
    { atMs: 1_500, what: "ready", pod: "server-4" },
  ] as const,
  pods,
  published: ["server-1", "server-3", "server-4"],
};

/** The result of strategies that call the pods after the scene in turn, except for clusterip. */
function resultOf(count: number) {
  const scene = sceneNamed("kill");
  const outcomes = createStrategies("round_robin")
    .slice(0, count)
    .map((strategy) => {
      const log = new SceneLog(strategy);
      const isFixed = strategy.learning === "break";
      const isList = strategy.learning === "never";
      for (let n = 1; n < 60; n++) {
        const pod = isFixed ? "server-3" : history.published[n % (isList ? 2 : 3)];
        log.add(`#${n}: ${n < 20 ? "server-1" : pod}`, n * 100);
      }
      return judgeScene(log, scene, history);
    });
  return { scene, history, outcomes, skipped: [{ name: "consul", reason: "consul is not on the PATH" }] };
}

const linesOf = (count: number, columns: number, rows?: number) =>
  renderSceneResult(resultOf(count), { columns, ...(rows !== undefined && { rows }) });

describe("the result of a scene", () => {
  it("ends with a table of what each client went through", () => {
    const lines = linesOf(4, 80).map((line) => paint(line, false));
    assert.equal(lines[0], " kill: SIGKILL ends server-2, and server-4 takes its place.");
    assert.equal(lines[1], " consul is skipped: consul is not on the PATH");
    assert.deepEqual(lines.slice(-10), [
      " strategy     failed  new pod  gone pod  server-1    -3   -4   verdict",
      ` ${"─".repeat(78)}`,
      " http              0   500 ms         -       33%   33%  33%   BALANCED",
      "   For a second the Service still sends connections to the dead pod.",
      " clusterip         0    never         -        0%  100%   0%   PINNED",
      "   Its connection breaks, and the next one is for all calls again.",
      " round_robin       0    never         -       50%   50%   0%   SKEWED",
      "   Its list still has the dead pod and will never have the new one.",
      " resolver          0   500 ms         -       33%   33%  33%   BALANCED",
      "   Its connection breaks at once; the watch then brings the new pod.",
    ]);
  });

  it("leaves out the legend, then the reasons, to stay within the rows of the terminal", () => {
    for (const [count, rows, wanted, unwanted] of [
      [4, 24, /after the scene\.$/m, /^ file/m],
      [8, 23, /^ {3}Its connection breaks/m, /after the scene\.$/m],
      [8, 18, /^ file +0/m, /^ {3}Its connection breaks/m],
    ] as const) {
      const lines = linesOf(count, 80, rows).map((line) => paint(line, false));
      assert.ok(lines.length <= rows - 2, `${count} strategies, ${rows} rows: ${lines.length} lines`);
      assert.match(lines.join("\n"), wanted);
      assert.doesNotMatch(lines.join("\n"), unwanted);
    }
  });

  it("leaves out the shares, then the times, and never the verdict, on a narrow terminal", () => {
    const headOf = (columns: number) =>
      linesOf(4, columns)
        .map((line) => paint(line, false))
        .find((line) => line.startsWith(" strategy"));
    assert.equal(headOf(60), " strategy     failed  new pod  gone pod   verdict");
    assert.equal(headOf(40), " strategy     failed   verdict");
  });

  it("is never wider than the terminal", () => {
    for (let columns = 3; columns <= 140; columns++) {
      const widest = Math.max(...linesOf(8, columns).map(widthOf));
      assert.ok(widest <= columns, `${columns} columns: a line of ${widest} cells`);
    }
  });
});
