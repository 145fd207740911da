import assert from "node:assert/strict";
import { join } from "node:path";
import { afterEach, describe, it } from "node:test";
import { assertNothingLeft } from "@grpc-lb/core/testing";
import { type RunningProgram, runToEnd, startProgram } from "@grpc-lb/program/testing";
import { childrenOf, isAlive, stateOf, untilDead } from "../../testing/processes.ts";

const main = join(import.meta.dirname, "main.ts");
const short = ["--duration", "500ms", "--warm-up", "300ms"];

function pidOf(program: RunningProgram, name: string): number {
  const line = program.stderr.find((text) => text.startsWith(`policies: ${name} serves`));
  return Number(/pid (\d+)/.exec(line ?? "")?.[1]);
}

/** Starts a comparison that would run for long, and waits until a server is frozen. */
async function startFrozen() {
  const program = startProgram(main, ["--json", "--duration", "60s", "--policies", "random"]);
  await program.line((line) => line.startsWith("policies: random"));
  const frozen = pidOf(program, "frozen");
  // Nobody is told either when a process is stopped.
  while (stateOf(frozen) !== "T" && isAlive(frozen)) await new Promise((resolve) => setImmediate(resolve));
  const children = await childrenOf(program.pid ?? 0);
  assert.equal(children.length, 8, "six servers, the load, and the one that thaws");
  return { program, children };
}

describe("the comparison of policies", { skip: process.platform !== "linux" && "reads /proc" }, () => {
  let children: readonly number[] = [];

  afterEach(async () => {
    const left = children.filter(isAlive);
    children = [];
    assert.deepEqual(left, [], "no process may be left");
    await assertNothingLeft();
  });

  it("prints a table, and no escape code, where there is no terminal", async () => {
    const run = await runToEnd(main, [...short, "--policies", "round_robin"]);
    assert.equal(run.code, 0, run.stderr.join("\n"));
    assert.ok(run.stdout.every((line) => !line.includes("\x1b")));
    assert.ok(
      run.stdout.some((line) => /^ policy +3 good +busiest +slow +failing +frozen +errors +p50 +p99$/.test(line)),
    );
    // Ports differ, but not that each of six has its turn; and the failing one's share is all errors.
    const row = run.stdout.find((line) => line.startsWith(" round_robin ")) ?? "";
    assert.match(
      row,
      /^ round_robin +(49|50|51) % +1[67] % +1[67] % +1[67] % +1[67] % +[3-9]\d % /,
      run.stdout.join("\n"),
    );
    assert.deepEqual(run.stderr, ["policies: starting servers …", "policies: round_robin: 1 of 1 …"]);
  });

  it("tells the same to machines, also with outlier_detection over the policies", async () => {
    const run = await runToEnd(main, [...short, "--policies", "least_request", "--outlier-detection", "--json"]);
    assert.equal(run.code, 0, run.stderr.join("\n"));
    const report = JSON.parse(run.stdout.join("\n"));
    const [row] = report.policies;
    assert.equal(row.policy, "least_request");
    assert.ok(row.calls >= 150, `${row.calls} calls`);
    assert.deepEqual(Object.keys(row.perServer), ["good-1", "good-2", "good-3", "slow", "failing", "frozen"]);
    assert.equal(report.hasOutlierDetection, true);
  });

  it("thaws what it froze, and stops everything on SIGTERM", async () => {
    const started = await startFrozen();
    children = started.children;
    started.program.kill("SIGTERM");
    assert.deepEqual(await started.program.exited, { code: 143, signal: null });
    assert.deepEqual(started.program.stdout, []);
    assert.equal(started.program.stderr.at(-1), "policies: stopped before the end, so there is no comparison");
  });

  it("leaves no frozen process when it is killed itself", async () => {
    const started = await startFrozen();
    children = started.children;
    started.program.kill("SIGKILL");
    await started.program.exited;
    await untilDead(children);
  });

  it("refuses what cannot be, before it starts anything", async () => {
    for (const [args, message] of [
      [["--policies", "best"], /^policies: --policies must be of round_robin, pick_first, .*, got "best"$/],
      [["--duration", "10ms"], /^policies: --rate 500 for --duration 10ms is 5 calls a policy; a share needs 100$/],
      [
        ["--policies", "pick_first", "--outlier-detection"],
        /^policies: --outlier-detection cannot stand over pick_first/,
      ],
    ] as const) {
      const run = await runToEnd(main, args);
      assert.equal(run.code, 2, run.stderr.join("\n"));
      assert.equal(run.stderr.length, 1);
      assert.match(run.stderr[0] ?? "", message);
    }
  });
});
