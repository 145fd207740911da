import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { widthOf } from "../../terminal/line.ts";
import { paint } from "../../terminal/paint.ts";
import { ClientLog } from "../client-log.ts";
import { podPolicy } from "../expectations.ts";
import { judgeClient } from "../outcome.ts";
import { type Plan, podNames, warmUpCalls } from "../plan.ts";
import { createStrategies } from "../strategies.ts";
import { renderResult } from "./result-table.ts";

const strategies = createStrategies(podPolicy("round_robin")).slice(0, 4);

function resultOf(servers: number, pinned = "clusterip") {
  const plan: Plan = { durationMs: 10_000, intervalMs: 100, servers, seed: 1 };
  const pods = podNames(plan);
  const outcomes = strategies.map((strategy) => {
    const log = new ClientLog(strategy, pods, warmUpCalls(plan));
    for (let n = 1; n <= 99; n++) log.take(`#${n}: ${strategy.name === pinned ? pods[1] : pods[n % servers]}`);
    return judgeClient(log, plan);
  });
  return { pods, outcomes, skipped: [], warmUpCalls: warmUpCalls(plan) };
}

const textOf = (result: ReturnType<typeof resultOf>, columns: number) =>
  renderResult(result, columns).map((line) => paint(line, false));

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

  it("shortens the pods' names to keep a table of nine", () => {
    assert.match(textOf(resultOf(9), 100)[0] ?? "", /calls {2}server-1 {3}-2 {3}-3 .* -9 {3}verdict$/);
  });

  it("is a list where no table fits", () => {
    const lines = textOf(resultOf(3), 50);
    assert.deepEqual(lines.slice(0, 2), [" http  BALANCED", " 96 calls: server-1 32, server-2 32, server-3 32"]);
  });

  it("concludes nothing about the Service where nobody went through it over gRPC", () => {
    const result = resultOf(3);
    const outcomes = result.outcomes.filter(({ strategy }) => strategy.name !== "clusterip");
    assert.ok(textOf({ ...result, outcomes }, 80).includes(" Every strategy showed what it must."));
  });

  it("says what was expected of a strategy that did not show it, and concludes nothing", () => {
    const lines = textOf(resultOf(3, "none"), 80);
    assert.ok(lines.includes("   expected PINNED, got BALANCED (p = 1.0)"), lines.join("\n"));
    assert.ok(lines.includes(" Not every strategy showed what it must."));
    assert.ok(!lines.some((line) => line.includes("stayed idle")));
  });

  it("never is wider than the terminal", () => {
    for (const servers of [2, 3, 9]) {
      const result = resultOf(servers);
      for (let columns = 3; columns <= 140; columns++) {
        const widest = Math.max(...renderResult(result, columns).map(widthOf));
        assert.ok(widest <= columns, `${servers} servers, ${columns} columns: a line of ${widest} cells`);
      }
    }
  });
});
