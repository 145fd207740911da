import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { afterEach, describe, it } from "node:test";
import { ManualClock } from "@grpc-lb/core/testing";
import { createTerminal, feed, readText } from "../../terminal/emulator.ts";
import type { SkippedStrategy } from "../choose-strategies.ts";
import { ClientLog } from "../client-log.ts";
import { judgeClient } from "../outcome.ts";
import { type Plan, podNames, warmUpCalls } from "../plan.ts";
import { createStrategies } from "../strategies.ts";
import { LiveView } from "./live-view.ts";

const strategies = createStrategies("round_robin").slice(0, 4);

const plan: Plan = { durationMs: 10_000, intervalMs: 200, servers: 3, seed: 1 };
const pods = podNames(plan);
const title = " gRPC behind a Kubernetes Service: one pod gets every call";

/** Shows a run in an emulated terminal of the given size, which already has the text `before`. */
function showIn(
  columns: number,
  rows: number,
  before = "",
  isColoured = true,
  skipped: readonly SkippedStrategy[] = [],
) {
  const emulator = createTerminal(columns, rows);
  const written: string[] = [];
  const stdout = Object.assign(new EventEmitter(), {
    columns,
    rows,
    write: (text: string) => {
      written.push(text);
      emulator.write(text.replaceAll("\r\n", "\n").replaceAll("\n", "\r\n")); // as the output processing of a tty does
    },
  });
  stdout.write(before);
  const clock = new ManualClock();
  const logs = strategies.map((strategy) => new ClientLog(strategy, pods, warmUpCalls(plan)));
  const view = new LiveView({ plan, logs, skipped, clock, terminal: stdout, isColoured });
  let calls = 0;
  return {
    stdout,
    view,
    clock,
    written,
    async repaintWithCalls(count: number) {
      for (let n = 0; n < count; n++) {
        calls += 1;
        for (const log of logs) log.add(`#${calls}: ${log.strategy.name === "clusterip" ? pods[0] : pods[calls % 3]}`);
      }
      await clock.asleep();
      clock.advance(100);
      await clock.asleep();
    },
    async resize(toColumns: number, toRows: number, beforeItIsKnown = async () => {}) {
      await feed(emulator, "");
      emulator.resize(toColumns, toRows);
      await beforeItIsKnown();
      stdout.columns = toColumns;
      stdout.rows = toRows;
      stdout.emit("resize");
    },
    async read(from: "screen" | "scrollback" = "scrollback") {
      await feed(emulator, "");
      return readText(emulator, from);
    },
    end: () => view.showResult({ pods, outcomes: logs.map((log) => judgeClient(log, plan)), skipped, warmUpCalls: 3 }),
  };
}

const count = (lines: readonly string[], wanted: string) => lines.filter((line) => line.includes(wanted)).length;

describe("the live view", () => {
  let shown: ReturnType<typeof showIn> | undefined;

  // The view's only timers are the clock's. Timers of the process are not checked, because the emulator has its own.
  afterEach(() => {
    shown?.view.close();
    assert.equal(shown?.clock.sleeping, 0, "timers of the view");
    assert.equal(shown?.stdout.listenerCount("resize"), 0, "listeners of the view");
    assert.equal(process.listenerCount("exit"), 0, "listeners of the view");
  });

  it("shows while it starts that something happens: servers, then how many clients have called", async () => {
    shown = showIn(100, 36);
    assert.ok((await shown.read()).includes(" starting servers …"));
    shown.view.onServing();
    await shown.repaintWithCalls(0);
    assert.ok((await shown.read()).includes(" starting clients … 0 of 4 have called"));
    await shown.repaintWithCalls(1);
    assert.ok((await shown.read()).includes(" starting clients … 4 of 4 have called"));
  });

  it("repaints its own lines and no others", async () => {
    shown = showIn(100, 36, "$ make demo\n");
    shown.view.onRunning();
    for (let n = 0; n < 20; n++) await shown.repaintWithCalls(1);
    const lines = await shown.read();
    assert.deepEqual(lines.slice(0, 3), ["$ make demo", "", title]);
    assert.equal(count(lines, "one pod gets every call"), 1);
    assert.equal(count(lines, "#20: server-1"), 1, lines.join("\n"));
    assert.equal(count(lines, "#14:"), 0);
  });

  it("repaints in place when it starts at the bottom of the screen", async () => {
    shown = showIn(80, 24, "$ ls\n".repeat(30));
    for (let n = 0; n < 20; n++) await shown.repaintWithCalls(1);
    const lines = await shown.read();
    assert.equal(count(lines, "$ ls"), 30);
    assert.equal(count(lines, "one pod gets every call"), 1);
    assert.equal(count(lines, "clusterip"), 1, lines.join("\n"));
  });

  it("is on the screen once, at the top, after the terminal became narrower or wider", async () => {
    shown = showIn(100, 36, "$ ls\n".repeat(40));
    await shown.repaintWithCalls(20);
    for (const columns of [70, 100, 85, 60, 99]) {
      await shown.resize(columns, 36);
      await shown.repaintWithCalls(1);
      const lines = await shown.read("screen");
      assert.equal(lines[0], title, `at ${columns} columns:\n${lines.join("\n")}`);
      assert.equal(count(lines, "one pod gets every call"), 1, `at ${columns} columns:\n${lines.join("\n")}`);
      assert.equal(count(lines, "round_robin"), 1);
    }
  });

  it("recovers when a frame was painted before the new width was known", async () => {
    shown = showIn(100, 36, "$ make demo\n");
    await shown.repaintWithCalls(20);
    await shown.resize(70, 36, async () => shown?.repaintWithCalls(1));
    await shown.repaintWithCalls(1);
    const lines = await shown.read("screen");
    assert.equal(lines[0], title, lines.join("\n"));
    assert.equal(count(lines, "one pod gets every call"), 1);
  });

  it("is complete on a screen that became lower", async () => {
    shown = showIn(80, 30);
    await shown.repaintWithCalls(20);
    await shown.resize(80, 16);
    await shown.repaintWithCalls(1);
    const lines = await shown.read("screen");
    assert.equal(count(lines, "one pod gets every call"), 1, lines.join("\n"));
    assert.equal(count(lines, "round_robin"), 1);
  });

  it("leaves the last board and the result in the scrollback, and shows the cursor", async () => {
    shown = showIn(80, 24);
    shown.view.onRunning();
    await shown.repaintWithCalls(40);
    shown.end();
    const lines = await shown.read();
    assert.deepEqual(lines.slice(0, 2), ["", title]);
    assert.equal(count(lines, "one pod gets every call"), 1);
    assert.equal(count(lines, "PINNED"), 2, "above the column and in the table");
    assert.equal(count(lines, " s of 10 s"), 0, "no progress is left");
    const output = shown.written.join("");
    assert.ok(output.lastIndexOf("\x1b[?25h") > output.lastIndexOf("\x1b[?25l"));
  });

  it("names skipped strategies above the board and in the result", async () => {
    shown = showIn(80, 50, "", true, [{ name: "etcd", reason: "not installed" }]);
    await shown.repaintWithCalls(40);
    shown.end();
    const lines = await shown.read();
    assert.deepEqual(lines.slice(0, 4), ["", " etcd is skipped: not installed", "", title]);
    const at = lines.indexOf(" etcd  skipped");
    assert.equal(lines[at + 1], "   not installed", lines.join("\n"));
  });

  it("moves the cursor and uses no colour when colours are off", async () => {
    shown = showIn(100, 36, "", false);
    await shown.repaintWithCalls(40);
    shown.end();
    const colours = shown.written
      .join("")
      .split("\x1b[")
      .filter((code) => /^[\d;]*m/.test(code));
    assert.deepEqual(colours, []);
  });
});
