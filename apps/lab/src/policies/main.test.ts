import assert from "node:assert/strict";
import { join } from "node:path";
import { afterEach, describe, it } from "node:test";
import { assertNothingLeft, until } from "@grpc-lb/core/testing";
import { type RunningProgram, runToEnd, startProgram } from "@grpc-lb/program/testing";
import { childrenOf, isAlive, stateOf, untilDead } from "../../testing/processes.ts";

const main = join(import.meta.dirname, "main.ts");
const short = ["--duration", "500ms", "--warm-up", "300ms"];

function pidOf(program: RunningProgram, name: string): number {
  const line = program.stderr.find((text) => text.startsWith(`policies: ${name} serves`));
  return Number(/pid (\d+)/.exec(line ?? "")?.[1]);
}

/** Starts a comparison of 60 s and waits until a server is frozen. */
async function startFrozen() {
  const program = startProgram(main, ["--json", "--duration", "60s", "--policies", "random"]);
  await program.line((line) => line.startsWith("policies: random"));
  const frozen = pidOf(program, "frozen");
  await until(() => stateOf(frozen) === "T", "the server is frozen");
  const children = await childrenOf(program.pid ?? 0);
  assert.equal(children.length, 8, "six servers, the load, and the watchdog");
  return { program, children };
}

describe("the comparison of policies", { skip: process.platform !== "linux" && "reads /proc" }, () => {
  let children: readonly number[] = [];

  afterEach(async () => {
    const left = children.filter(isAlive);
    children = [];
    assert.deepEqual(left, [], "processes left");
    await assertNothingLeft();
  });

  it("prints a table without escape codes when stdout is not a terminal", async () => {
    const run = await runToEnd(main, [...short, "--policies", "round_robin"]);
    assert.equal(run.code, 0, run.stderr.join("\n"));
    assert.ok(run.stdout.every((line) => !line.includes("\x1b")));
    assert.ok(
      run.stdout.some((line) => /^ policy +3 good +busiest +slow +failing +frozen +errors +p50 +p99$/.test(line)),
    );
    // Each of six servers has its turn. The calls to the failing one are errors.
    const row = run.stdout.find((line) => line.startsWith(" round_robin ")) ?? "";
    assert.match(
      row,
      /^ round_robin +(49|50|51) % +1[67] % +1[67] % +1[67] % +1[67] % +[3-9]\d % /,
      run.stdout.join("\n"),
    );
    assert.deepEqual(run.stderr, ["policies: starting servers …", "policies: round_robin: 1 of 1 …"]);
  });

  it("prints the result as JSON, also with outlier_detection", async () => {
    const run = await runToEnd(main, [...short, "--policies", "least_request", "--outlier-detection", "--json"]);
    assert.equal(run.code, 0, run.stderr.join("\n"));
    const report = JSON.parse(run.stdout.join("\n"));
    const [row] = report.policies;
    assert.equal(row.policy, "least_request");
    assert.ok(row.calls >= 150, `${row.calls} calls`);
    assert.deepEqual(Object.keys(row.perServer), ["good-1", "good-2", "good-3", "slow", "failing", "frozen"]);
    assert.equal(report.hasOutlierDetection, true);
  });

  it("stops all processes on SIGTERM, the frozen one too", async () => {
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

  it("rejects invalid flags before it starts anything", async () => {
    for (const [args, message] of [
      [
        ["--policies", "best"],
        /^policies: --policies must be names of round_robin, random, .*, pick_first, got "best"$/,
      ],
      [
        ["--duration", "10ms"],
        /^policies: --rate 500 for --duration 10ms is 5 calls per policy; shares need at least 100$/,
      ],
      [
        ["--policies", "pick_first", "--outlier-detection"],
        /^policies: grpc-js does not allow pick_first below outlier_detection/,
      ],
    ] as const) {
      const run = await runToEnd(main, args);
      assert.equal(run.code, 2, run.stderr.join("\n"));
      assert.equal(run.stderr.length, 1);
      assert.match(run.stderr[0] ?? "", message);
    }
  });
});
