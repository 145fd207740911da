import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { widthOf } from "../../terminal/line.ts";
import { paint } from "../../terminal/paint.ts";
import { ClientLog } from "../client-log.ts";
import { judgeClient } from "../outcome.ts";
import { type Plan, podNames, warmUpCalls } from "../plan.ts";
import { createStrategies } from "../strategies.ts";
import { renderResult } from "./result-table.ts";

const strategies = createStrategies("round_robin");

function resultOf(servers: number, pinned = "clusterip", count = 4) {
  const plan: Plan = { durationMs: 10_000, intervalMs: 100, servers, seed: 1 };
  const pods = podNames(plan);
  const outcomes = strategies.slice(0, count).map((strategy) => {
    const log = new ClientLog(strategy, pods, warmUpCalls(plan));
    for (let n = 1; n <= 99; n++) log.add(`#${n}: ${strategy.name === pinned ? pods[1] : pods[n % servers]}`);
    return judgeClient(log, plan);
  });
  return { pods, outcomes, skipped: [], warmUpCalls: warmUpCalls(plan) };
}

const textOf = (result: ReturnType<typeof resultOf>, columns: number) =>
  renderResult(result, { columns }).map((line) => paint(line, false));

describe("the result", () => {
  it("is a table of calls and verdicts, with the reason for each", () => {
    const lines = textOf(resultOf(3), 80);
    assert.deepEqual(lines.slice(0, 8), [
      " strategy      calls  server-1  server-2  server-3   verdict",
      ` ${"─".repeat(78)}`,
      " http             96        32        32        32   BALANCED",
      "   Each call opens a connection; for each one the Service picks a pod.",
      " clusterip        96         0        96         0   PINNED",
      "   One HTTP/2 connection carries every call; its pod was picked only once.",
      " round_robin      96        32        32        32   BALANCED",
      "   The client keeps a connection to every pod and takes them in turn.",
    ]);
    assert.ok(lines.includes(" A Service balances connections, not calls: over gRPC 2 of 3 pods stayed idle."));
  });

  it("shortens the pods' names to fit nine into a table", () => {
    assert.match(textOf(resultOf(9), 100)[0] ?? "", /calls {2}server-1 {3}-2 {3}-3 .* -9 {3}verdict$/);
  });

  it("is a list where a table does not fit", () => {
    const lines = textOf(resultOf(3), 50);
    assert.deepEqual(lines.slice(0, 2), [" http  BALANCED", " 96 calls: server-1 32, server-2 32, server-3 32"]);
  });

  it("draws no conclusion about the Service when no gRPC client used it", () => {
    const result = resultOf(3);
    const outcomes = result.outcomes.filter(({ strategy }) => strategy.name !== "clusterip");
    assert.ok(textOf({ ...result, outcomes }, 80).includes(" Every strategy got the expected verdict."));
  });

  it("shows the expected verdict of a strategy that failed, and draws no conclusion", () => {
    const lines = textOf(resultOf(3, "none"), 80);
    assert.ok(lines.includes("   expected PINNED, got BALANCED (p = 1.0)"), lines.join("\n"));
    assert.ok(lines.includes(" Not every strategy got the expected verdict."));
    assert.ok(!lines.some((line) => line.includes("stayed idle")));
  });

  it("leaves out the next steps, then blank lines, then reasons, to stay within the rows of the terminal", () => {
    for (const [count, rows, wanted, unwanted] of [
      [4, 24, /^ Next$/m, /^ file/m],
      [4, 20, /^ {3}Each call opens/m, /^ Next$/m],
      [8, 24, /^ {3}Each call opens/m, /^ Next$/m],
      [8, 22, /^ {3}Each call opens/m, /^$/m],
      [8, 18, /^ file +96/m, /^ {3}Each call opens/m],
    ] as const) {
      const result = resultOf(3, "clusterip", count);
      const lines = renderResult(result, { columns: 80, rows }).map((line) => paint(line, false));
      const text = lines.join("\n");
      assert.ok(lines.length <= rows - 2, `${count} strategies, ${rows} rows: ${lines.length} lines`);
      assert.match(text, wanted);
      assert.doesNotMatch(text, unwanted);
      assert.match(text, /^ strategy .* verdict$/m);
      assert.match(text, /stayed idle\.$/m);
    }
  });

  it("shows a failure also on a low terminal", () => {
    const lines = renderResult(resultOf(3, "none", 8), { columns: 80, rows: 10 }).map((line) => paint(line, false));
    assert.ok(lines.includes("   expected PINNED, got BALANCED (p = 1.0)"), lines.join("\n"));
  });

  it("is never wider than the terminal", () => {
    for (const servers of [2, 3, 9]) {
      const result = resultOf(servers);
      for (let columns = 3; columns <= 140; columns++) {
        const widest = Math.max(...renderResult(result, { columns }).map(widthOf));
        assert.ok(widest <= columns, `${servers} servers, ${columns} columns: a line of ${widest} cells`);
      }
    }
  });
});
