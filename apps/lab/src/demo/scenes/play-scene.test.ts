import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { assertNothingLeft } from "@grpc-lb/core/testing";
import { programEnv, runToEnd } from "@grpc-lb/program/testing";

const main = join(import.meta.dirname, "../main.ts");
const short = ["--duration", "1s", "--interval", "20ms", "--settle", "800ms", "--json"];

interface Reported {
  readonly verdict: string;
  readonly failed: number;
  readonly firstCallMs: Readonly<Record<string, number | null>>;
  readonly stillCalled: readonly string[];
}

/** A program of util-linux that runs a command in a pseudo terminal. */
const script = "/usr/bin/script";

// At the same time, because scenes mostly wait.
describe("a scene with real processes", { concurrency: true }, () => {
  let env = { TMPDIR: "" };

  before(async () => {
    env = { TMPDIR: await mkdtemp(join(tmpdir(), "lab-test-")) };
  });

  after(async () => {
    const files = await readdir(env.TMPDIR);
    await rm(env.TMPDIR, { recursive: true });
    assert.deepEqual(files, [], "files left");
    await assertNothingLeft();
  });

  /** Plays a scene; returns the report of each strategy. */
  async function play(scene: string, ...strategies: string[]): Promise<readonly Reported[]> {
    const run = await runToEnd(main, ["--scene", scene, "--strategies", strategies.join(), ...short], env);
    assert.equal(run.code, 0, run.stderr.join("\n"));
    const report = JSON.parse(run.stdout.join("\n"));
    const names = report.strategies.map(({ name }: { name: string }) => name);
    assert.deepEqual([report.scene, report.ok, names], [scene, true, strategies]);
    return report.strategies;
  }

  it("kill: a fixed list never has the new pod, and a watch has it", async () => {
    const [list, watch] = await play("kill", "round_robin", "resolver");
    assert.deepEqual([list?.verdict, watch?.verdict], ["SKEWED", "BALANCED"]);
    assert.equal(list?.firstCallMs["server-4"], null);
    assert.equal(typeof watch?.firstCallMs["server-4"], "number");
  });

  it("freeze: a fixed list still calls the frozen pod, and a watch does not", async () => {
    const [clusterip, list, watch] = await play("freeze", "clusterip", "round_robin", "resolver");
    assert.deepEqual([clusterip?.verdict, list?.verdict, watch?.verdict], ["NONE", "BALANCED", "BALANCED"]);
    assert.deepEqual([list?.stillCalled, watch?.stillCalled], [["server-2"], []]);
    assert.ok((list?.failed ?? 0) >= 3);
  });

  it("hands: takes keys once every client calls, and restores the terminal on Ctrl-\\", {
    skip: !existsSync(script) && `needs ${script}`,
  }, async () => {
    const command = `'${process.execPath}' '${main}' --scene hands --servers 2 --strategies clusterip; echo "exit $?"; stty -a`;
    const terminal = spawn(script, ["-qfec", `stty cols 100 rows 30; ${command}`, "/dev/null"], {
      env: { ...programEnv(), ...env, TERM: "xterm-256color", SHELL: "/bin/sh" },
      stdio: ["pipe", "pipe", "inherit"],
    });
    const closed = once(terminal, "close");
    let output = "";
    const isSent = { k: false, "?": false, "\x1c": false };
    const send = (key: keyof typeof isSent, seen: boolean) => {
      if (isSent[key] || !seen) return;
      isSent[key] = true;
      terminal.stdin.write(key);
    };
    terminal.stdout.on("data", (bytes: Uint8Array) => {
      output += new TextDecoder().decode(bytes);
      send("k", output.includes("starting servers"));
      send("?", /\d\.\d s/.test(output));
      send("\x1c", output.includes("take the oldest pod"));
    });
    await closed;
    assert.match(output, /exit 131/);
    assert.match(output, /the clients still start/);
    assert.doesNotMatch(output, /is killed/, "a key before has no effect");
    assert.match(output, / icanon/, "keys are read by line again");
    assert.ok(output.lastIndexOf("\x1b[?25h") > output.lastIndexOf("\x1b[?25l"), "the cursor is shown");
  });

  it("hands: needs a terminal", async () => {
    const run = await runToEnd(main, ["--scene", "hands"], env);
    assert.deepEqual(
      [run.code, run.stderr],
      [2, ["lab: --scene (SCENE) hands needs a terminal for its keys, and no --json"]],
    );
  });

  it("rejects another number of servers, before it starts anything", async () => {
    const run = await runToEnd(main, ["--scene", "kill", "--servers", "5"], env);
    assert.deepEqual([run.code, run.stderr], [2, ["lab: --servers (SERVERS) must be 3 for --scene kill, got 5"]]);
  });
});
