import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Board, type Progress, renderBoard } from "./board.ts";
import { ClientLog } from "./client-log.ts";
import { widthOf } from "./line.ts";
import { paint } from "./paint.ts";
import { podPolicy } from "./pod-policy.ts";
import { createStrategies } from "./strategies.ts";

const strategies = createStrategies(podPolicy("round_robin"));

const running: Progress = { t: "running", elapsedMs: 4_000, durationMs: 10_000 };

function boardOf(servers: number, progress: Progress = running): Board {
  const pods = Array.from({ length: servers }, (_, i) => `server-${i + 1}`);
  const columns = strategies.map((strategy) => {
    const log = new ClientLog(strategy, pods, servers);
    for (let n = 1; n <= 40; n++) {
      log.take(`#${n}: ${strategy.name === "clusterip" ? pods[1] : pods[n % servers]}`);
    }
    return log;
  });
  return { pods, columns, progress, fullBarCalls: 50 };
}

const textOf = (board: Board, columns: number, rows: number) =>
  renderBoard(board, { columns, rows }).map((line) => paint(line, false));

describe("the board", () => {
  it("never is wider than the terminal, and leaves its last row free", () => {
    for (const servers of [2, 3, 9]) {
      for (const progress of [{ t: "starting" }, running, { t: "ended", words: new Map() }] satisfies Progress[]) {
        const board = boardOf(servers, progress);
        for (let columns = 3; columns <= 140; columns++) {
          for (const rows of [2, 5, 10, 20, 24, 36, 60]) {
            const lines = renderBoard(board, { columns, rows });
            const widest = Math.max(...lines.map(widthOf));
            const size = `${servers} servers, ${progress.t}, ${columns}x${rows}`;
            assert.ok(widest <= columns, `${size}: a line of ${widest} cells`);
            assert.ok(lines.length <= rows - 1, `${size}: ${lines.length} lines`);
          }
        }
      }
    }
  });

  it("shows the clients side by side from 96 columns on", () => {
    const lines = textOf(boardOf(3), 96, 24);
    const names = lines.find((line) => line.includes("clusterip")) ?? "";
    assert.match(names, /^ http +clusterip +round_robin +resolver$/);
    assert.ok(
      lines.some((line) => / #40: server-2 +#40: server-2 +#40: server-2 +#40: server-2/.test(line)),
      lines.join("\n"),
    );
    assert.ok(
      lines.some((line) => / server-2 █+.? +13 {2}server-2 █+.? +37 {2}server-2 █+.? +13 {2}server-2 /.test(line)),
      lines.join("\n"),
    );
    assert.match(lines.at(-1) ?? "", /━+─+ {2}4 s of 10 s$/);
  });

  it("shows them in two rows where it is narrower", () => {
    const lines = textOf(boardOf(3), 80, 36);
    const names = lines.filter((line) => /^ (http|round_robin) /.test(line));
    assert.deepEqual(
      names.map((line) => line.replace(/ {2,}/, " | ")),
      [" http | clusterip", " round_robin | resolver"],
    );
    assert.equal(lines.filter((line) => / #40: server-2 +#40: server-2/.test(line)).length, 2, lines.join("\n"));
  });

  it("shows two rows up to 95 columns, whole in 24 rows, and in them the last call beside a name where it fits", () => {
    const call = " +#40: server-2";
    for (const [columns, first, second] of [
      [48, `http${call} +clusterip`, `round_robin +resolver${call}`],
      [80, `http${call} +clusterip${call}`, `round_robin${call} +resolver${call}`],
      [95, `http${call} +clusterip${call}`, `round_robin${call} +resolver${call}`],
    ] as const) {
      const lines = textOf(boardOf(3), columns, 24);
      const text = lines.join("\n");
      assert.match(text, new RegExp(`^ ${first}$`, "m"));
      assert.match(text, new RegExp(`^ ${second}$`, "m"));
      assert.equal(lines.filter((line) => /^ server-[123] /.test(line)).length, 6, text);
      assert.match(lines.at(-1) ?? "", /4 s of 10 s$/);
    }
  });

  it("shows them below each other where not even two fit", () => {
    const lines = textOf(boardOf(3), 44, 40);
    const heads = lines.filter((line) => /^ (http|clusterip|round_robin|resolver) /.test(line));
    assert.deepEqual(heads, [
      " http  HTTP via the Service",
      " clusterip  gRPC via the Service",
      " round_robin  gRPC to a list of pods",
      " resolver  gRPC to watched pods",
    ]);
  });

  it("counts in one line per client where bars do not fit", () => {
    const lines = textOf(boardOf(9), 44, 14);
    assert.ok(lines.includes("   0  31  0  0  0  0  0  0  0"), lines.join("\n"));
  });

  it("says above a client that calls failed, and its verdict at the end", () => {
    const board = boardOf(3, { t: "ended", words: new Map([["clusterip", "PINNED"]]) });
    board.columns.forEach((column) => {
      if (column instanceof ClientLog && column.strategy.name === "http") column.take("Error: 503 \x1b[2J");
    });
    const lines = textOf(board, 100, 36);
    assert.match(lines[3] ?? "", /^ http +1 failed {2}clusterip +PINNED {2}round_robin +resolver$/);
    assert.ok(
      lines.some((line) => line.startsWith(" Error: 503 ?[2J ")),
      lines.join("\n"),
    );
  });
});
