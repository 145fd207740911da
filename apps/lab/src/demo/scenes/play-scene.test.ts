import assert from "node:assert/strict";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { assertNothingLeft } from "@grpc-lb/core/testing";
import { runToEnd } from "@grpc-lb/program/testing";

const main = join(import.meta.dirname, "../main.ts");
const short = ["--duration", "1s", "--interval", "20ms", "--settle", "800ms", "--json"];
const strategies = ["clusterip", "round_robin", "resolver"];

interface Reported {
  readonly verdict: string;
  readonly failed: number;
  readonly firstCallMs: Readonly<Record<string, number | null>>;
  readonly stillCalled: readonly string[];
}

describe("a scene with real processes", () => {
  let env = { TMPDIR: "" };

  beforeEach(async () => {
    env = { TMPDIR: await mkdtemp(join(tmpdir(), "lab-test-")) };
  });

  afterEach(async () => {
    const files = await readdir(env.TMPDIR);
    await rm(env.TMPDIR, { recursive: true });
    assert.deepEqual(files, [], "files left");
    await assertNothingLeft();
  });

  /** Plays a scene; returns the report of each strategy. */
  async function play(scene: string): Promise<readonly Reported[]> {
    const run = await runToEnd(main, ["--scene", scene, "--strategies", strategies.join(), ...short], env);
    assert.equal(run.code, 0, run.stderr.join("\n"));
    const report = JSON.parse(run.stdout.join("\n"));
    const names = report.strategies.map(({ name }: { name: string }) => name);
    assert.deepEqual([report.scene, report.ok, names], [scene, true, strategies]);
    return report.strategies;
  }

  // At the same time, because scenes mostly wait.
  it("kill and freeze: a fixed list never has the new pod or loses the frozen one, and a watch does", async () => {
    const [kill, freeze] = await Promise.all([play("kill"), play("freeze")]);
    assert.deepEqual(
      kill.map(({ verdict }) => verdict),
      ["PINNED", "SKEWED", "BALANCED"],
    );
    assert.equal(kill[1]?.firstCallMs["server-4"], null);
    assert.equal(typeof kill[2]?.firstCallMs["server-4"], "number");
    assert.deepEqual(
      freeze.map(({ verdict }) => verdict),
      ["NONE", "BALANCED", "BALANCED"],
    );
    assert.deepEqual(
      freeze.map(({ stillCalled }) => stillCalled),
      [["server-2"], ["server-2"], []],
    );
    assert.ok((freeze[1]?.failed ?? 0) >= 3);
  });

  it("rejects another number of servers, before it starts anything", async () => {
    const run = await runToEnd(main, ["--scene", "kill", "--servers", "5"], env);
    assert.deepEqual([run.code, run.stderr], [2, ["lab: --servers (SERVERS) must be 3 for --scene kill, got 5"]]);
  });
});
