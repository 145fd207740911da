import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { widthOf } from "../../terminal/line.ts";
import { paint } from "../../terminal/paint.ts";
import { ClientLog } from "../client-log.ts";
import { createStrategies } from "../strategies.ts";
import { renderBoard } from "./board.ts";
import type { Board, Progress } from "./board-parts.ts";

const strategies = createStrategies("round_robin");

const running: Progress = { t: "running", elapsedMs: 4_000, durationMs: 10_000 };

function boardOf(servers: number, progress: Progress = running, clients = 4): Board {
  const pods = Array.from({ length: servers }, (_, i) => `server-${i + 1}`);
  const columns = strategies.slice(0, clients).map((strategy) => {
    const log = new ClientLog(strategy, pods, servers);
    for (let n = 1; n <= 40; n++) {
      log.add(`#${n}: ${strategy.name === "clusterip" ? pods[1] : pods[n % servers]}`);
    }
    return log;
  });
  return { pods, columns, progress, fullBarCalls: 50 };
}

const textOf = (board: Board, columns: number, rows: number) =>
  renderBoard(board, { columns, rows }).map((line) => paint(line, false));

describe("the board", () => {
  it("is never wider than the terminal, and leaves the last row free", () => {
    for (const servers of [2, 3, 9]) {
      for (const progress of [
        { t: "note", text: "starting servers …" },
        running,
        { t: "ended", words: new Map() },
      ] satisfies Progress[]) {
        for (const clients of [1, 4, 8]) {
          const board = boardOf(servers, progress, clients);
          for (let columns = 3; columns <= 140; columns += clients === 4 ? 2 : 7) {
            for (const rows of [2, 5, 10, 20, 24, 36, 60]) {
              const lines = renderBoard(board, { columns, rows });
              const widest = Math.max(...lines.map(widthOf));
              const size = `${clients} clients, ${servers} servers, ${progress.t}, ${columns}x${rows}`;
              assert.ok(widest <= columns, `${size}: a line of ${widest} cells`);
              assert.ok(lines.length <= rows - 1, `${size}: ${lines.length} lines`);
            }
          }
        }
      }
    }
  });

  it("shows the clients side by side from 96 columns", () => {
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

  it("shows two rows of clients on a narrower terminal", () => {
    const lines = textOf(boardOf(3), 80, 36);
    const names = lines.filter((line) => /^ (http|round_robin) /.test(line));
    assert.deepEqual(
      names.map((line) => line.replace(/ {2,}/, " | ")),
      [" http | clusterip", " round_robin | resolver"],
    );
    assert.equal(lines.filter((line) => / #40: server-2 +#40: server-2/.test(line)).length, 2, lines.join("\n"));
  });

  it("shows two rows of clients up to 95 columns, complete in 24 lines, with the last call next to a name where it fits", () => {
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

  it("shows the clients below each other where two do not fit side by side", () => {
    const lines = textOf(boardOf(3), 44, 40);
    const heads = lines.filter((line) => /^ (http|clusterip|round_robin|resolver) /.test(line));
    assert.deepEqual(heads, [
      " http  HTTP via the Service",
      " clusterip  gRPC via the Service",
      " round_robin  gRPC to a list of pods",
      " resolver  gRPC to watched pods",
    ]);
  });

  it("shows one line of counts per client where bars do not fit", () => {
    const lines = textOf(boardOf(9), 44, 14);
    assert.ok(lines.includes("   0  31  0  0  0  0  0  0  0"), lines.join("\n"));
  });

  it("shows eight clients in two rows, or in three where the terminal is narrower and high", () => {
    const heads = textOf(boardOf(3, running, 8), 100, 36).filter((line) => /^ (http|etcd) /.test(line));
    assert.deepEqual(
      heads.map((line) => line.trim().split(/ +/)),
      [
        ["http", "clusterip", "round_robin", "resolver"],
        ["etcd", "consul", "dns-poll", "file"],
      ],
    );
    const narrow = textOf(boardOf(3, running, 8), 80, 36).filter((line) => /^ (http|resolver|dns-poll) /.test(line));
    assert.deepEqual(
      narrow.map((line) => line.split(/ +/)[1]),
      ["http", "resolver", "dns-poll"],
      "three rows",
    );
  });

  it("shows eight clients as a chart with a bar per pod where they do not fit side by side, and describes them where there is room", () => {
    const lines = textOf(boardOf(3, running, 8), 80, 24);
    const text = lines.join("\n");
    assert.match(text, /^ clusterip +0 +██+.? +37 +0 {2}#40: server-2$/m);
    assert.match(text, /^ file +██.? +12 +██.? +13 +██.? +12 {2}#40: server-2$/m);
    assert.ok(lines.includes("   gRPC to pods in a file, one connection per pod"), text);
    const low = textOf(boardOf(3, running, 8), 80, 18);
    assert.equal(low.filter((line) => line.endsWith("#40: server-2")).length, 8, low.join("\n"));
    assert.match(low.at(-1) ?? "", /4 s of 10 s$/);
  });

  it("states the number of clients, and mentions a Service only when one is used", () => {
    const [first, second] = textOf(boardOf(3, running, 8), 100, 36);
    assert.equal(first, " gRPC behind a Kubernetes Service: one pod gets every call");
    assert.equal(second, " Eight clients call the same 3 pods and differ only in how they connect.");
    const lone = textOf(boardOf(3, running, 1), 100, 36);
    assert.deepEqual(lone.slice(0, 2), [
      " Calls to the same pods, which clients find in different ways",
      " One client calls 3 pods.",
    ]);
  });

  it("shows the number of failed calls above a client, and its verdict at the end", () => {
    const board = boardOf(3, { t: "ended", words: new Map([["clusterip", "PINNED"]]) });
    board.columns.forEach((column) => {
      if (column instanceof ClientLog && column.strategy.name === "http") column.add("Error: 503 \x1b[2J");
    });
    const lines = textOf(board, 100, 36);
    assert.match(lines[3] ?? "", /^ http +1 failed {2}clusterip +PINNED {2}round_robin +resolver$/);
    assert.ok(
      lines.some((line) => line.startsWith(" Error: 503 ?[2J ")),
      lines.join("\n"),
    );
  });
});
