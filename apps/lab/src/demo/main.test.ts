import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { assertNothingLeft } from "@grpc-lb/core/testing";
import { programEnv, type RunningProgram, runToEnd, startProgram, watchChild } from "@grpc-lb/program/testing";
import { childrenOf, isAlive, untilDead } from "../../testing/processes.ts";
import { whyUnavailable } from "./programs.ts";

const main = join(import.meta.dirname, "main.ts");
/** A program of util-linux that runs a command in a pseudo terminal. */
const script = "/usr/bin/script";
const short = ["--duration", "2s", "--interval", "40ms"];

const registryNames = ["etcd", "consul"] as const;
const missing = {
  etcd: await whyUnavailable("etcd"),
  consul: await whyUnavailable("consul"),
};
const present = registryNames.filter((name) => missing[name] === undefined);

/** Starts a demo of 60 s with two servers and waits until the clients call. It must have `count` child processes then. */
async function startDemo(env: Record<string, string>, { count = 3, strategies = "clusterip" } = {}) {
  const demo = startProgram(main, ["--json", "--duration", "60s", "--servers", "2"], {
    ...env,
    STRATEGIES: strategies,
  });
  await demo.line((line) => line.startsWith("lab: the clients call"));
  const children = await childrenOf(demo.pid ?? 0);
  assert.equal(children.length, count);
  return { demo, children };
}

function pidOf(demo: RunningProgram, podName: string): number {
  const line = demo.stderr.find((text) => text.startsWith(`lab: ${podName} serves`));
  return Number(/pid (\d+)/.exec(line ?? "")?.[1]);
}

describe("the demo", { skip: process.platform !== "linux" && "reads /proc" }, () => {
  let children: readonly number[] = [];
  let env = { TMPDIR: "" };

  beforeEach(async () => {
    children = [];
    env = { TMPDIR: await mkdtemp(join(tmpdir(), "lab-test-")) };
  });

  afterEach(async () => {
    const files = await readdir(env.TMPDIR);
    await rm(env.TMPDIR, { recursive: true });
    assert.deepEqual(files, [], "files left");
    assert.deepEqual(children.filter(isAlive), [], "processes left");
    await assertNothingLeft();
  });

  it("prints the expected verdicts as JSON and nothing else on stdout, and skips strategies without their registry", async () => {
    const run = await runToEnd(main, [...short, "--json", "--strategies", "all"], { ...env, PATH: env.TMPDIR });
    assert.equal(run.code, 0, run.stderr.join("\n"));
    const report = JSON.parse(run.stdout.join("\n"));
    assert.equal(report.ok, true);
    const got = report.strategies.map((strategy: Record<string, unknown>) => [strategy.name, strategy.verdict]);
    assert.deepEqual(got, [
      ["http", "BALANCED"],
      ["clusterip", "PINNED"],
      ["round_robin", "BALANCED"],
      ["resolver", "BALANCED"],
      ["dns-poll", "BALANCED"],
      ["file", "BALANCED"],
      ["max-age", got.at(-5)?.[1]], // chance decides, and ok says that it was as expected
      ["nodeport", "PINNED"],
      ["loadbalancer", "PINNED"],
      ["lookaside", "BALANCED"],
      ["xds", "BALANCED"],
    ]);
    const reason = (name: string) => `${name} is not on the PATH; see make doctor`;
    assert.deepEqual(
      report.skipped,
      [...registryNames, "envoy", "nginx", "haproxy"]
        .map((name) => ({ name, reason: reason(name) }))
        .concat(["host-proxy", "envoy-xds"].map((name) => ({ name, reason: reason("envoy") }))),
    );
    assert.ok(run.stderr.includes(`lab: etcd is skipped: ${reason("etcd")}`), run.stderr.join("\n"));
    const [http, clusterip, roundRobin] = report.strategies;
    assert.equal(clusterip.effectiveBackends, 1);
    assert.equal(clusterip.perPod["server-2"], clusterip.calls);
    assert.ok(roundRobin.effectiveBackends > 2.9);
    assert.ok(http.pValue > 0.001);
    assert.deepEqual(Object.keys(http.perPod), ["server-1", "server-2", "server-3"]);
  });

  it("applies the given policy to the clients that know the pods", async () => {
    const run = await runToEnd(
      main,
      [...short, "--json", "--servers", "2", "--strategies", "clusterip,ring_hash,resolver"],
      {
        ...env,
        POLICY: "ring_hash",
      },
    );
    assert.equal(run.code, 0, run.stderr.join("\n"));
    const report = JSON.parse(run.stdout.join("\n"));
    const got = report.strategies.map((strategy: Record<string, unknown>) => [strategy.name, strategy.verdict]);
    assert.deepEqual(got.slice(1), [
      ["ring_hash", "PINNED"],
      ["resolver", "PINNED"],
    ]);
  });

  it("fails when every chosen strategy is skipped", async () => {
    const run = await runToEnd(main, ["--strategies", "consul"], { ...env, PATH: env.TMPDIR });
    assert.equal(run.code, 1);
    assert.match(run.stderr.join("\n"), /^lab: nothing to show: consul is skipped: consul is not on the PATH; /);
  });

  it("lists the strategies when one is unknown", async () => {
    const run = await runToEnd(main, ["--strategies", "http,zookeeper"], env);
    assert.equal(run.code, 2);
    assert.match(
      run.stderr.join("\n"),
      /^lab: --strategies \(STRATEGIES\) must be all or names of http, .*, got "zookeeper"$/,
    );
  });

  it("lists the policies when one is unknown", async () => {
    const run = await runToEnd(main, ["--policy", "best"], env);
    assert.equal(run.code, 2);
    assert.equal(run.stderr.length, 1);
    assert.match(run.stderr[0] ?? "", /^lab: --policy must be one of pick_first, round_robin, random, .*, got "best"$/);
  });

  it("prints lines and a table without escape codes when stdout is not a terminal", async () => {
    const run = await runToEnd(main, [...short, "--servers", "2"], env);
    assert.equal(run.code, 0, run.stderr.join("\n"));
    assert.deepEqual(run.stderr, []);
    assert.ok(run.stdout.every((line) => !line.includes("\x1b")));
    assert.ok(run.stdout.some((line) => /^http {9}#1: server-[12]$/.test(line)));
    assert.ok(run.stdout.some((line) => /^round_robin {2}#1: server-[12]$/.test(line)));
    assert.ok(run.stdout.some((line) => /^ clusterip +\d+ +\d+ +\d+ {3}PINNED$/.test(line)));
  });

  for (const [signal, code] of [
    ["SIGTERM", 143],
    ["SIGINT", 130],
  ] as const) {
    it(`stops all processes on ${signal}, and prints no verdict`, async () => {
      const started = await startDemo(env);
      children = started.children;
      started.demo.kill(signal);
      assert.deepEqual(await started.demo.exited, { code, signal: null });
      assert.deepEqual(started.demo.stdout, []);
      assert.equal(started.demo.stderr.at(-1), "lab: stopped before the end, so there is no verdict");
    });
  }

  for (const [signal, code] of [
    ["SIGHUP", 129],
    ["SIGQUIT", 131],
  ] as const) {
    it(`exits at once on ${signal}, and its processes with it`, async () => {
      const started = await startDemo(env);
      children = started.children;
      started.demo.kill(signal);
      assert.deepEqual(await started.demo.exited, { code, signal: null });
      assert.deepEqual(started.demo.stdout, []);
      await untilDead(children);
    });
  }

  it("shows the cursor again on Ctrl-\\", { skip: !existsSync(script) && `needs ${script}` }, async () => {
    const demo = watchChild({
      command: script,
      args: [
        "-qfec",
        `exec '${process.execPath}' '${main}' --duration 60s --servers 2 --strategies clusterip`,
        "/dev/null",
      ],
      env: { ...programEnv(), TERM: "xterm-256color", SHELL: "/bin/sh", ...env },
    });
    await demo.line((line) => line.includes(" s of 60 s"));
    const [pid = 0] = await childrenOf(demo.pid ?? 0);
    children = await childrenOf(pid);
    assert.equal(children.length, 3);
    process.kill(pid, "SIGQUIT");
    assert.equal((await demo.exited).code, 131);
    const output = demo.stdout.join("\n");
    assert.ok(output.includes("\x1b[?25l"), "the cursor was hidden");
    assert.ok(output.lastIndexOf("\x1b[?25h") > output.lastIndexOf("\x1b[?25l"), "the cursor is shown");
    await untilDead(children);
  });

  it("stops all processes when a server is killed, and names the server and the signal", async () => {
    const started = await startDemo(env);
    children = started.children;
    process.kill(pidOf(started.demo, "server-2"), "SIGKILL");
    assert.deepEqual(await started.demo.exited, { code: 1, signal: null });
    assert.deepEqual(started.demo.stdout, []);
    assert.ok(
      started.demo.stderr.some((line) => line.startsWith("lab: server-2 was terminated by SIGKILL; ")),
      started.demo.stderr.join("\n"),
    );
  });

  it("leaves no process when it is killed itself", async () => {
    const started = await startDemo(env);
    children = started.children;
    started.demo.kill("SIGKILL");
    await started.demo.exited;
    await untilDead(children);
    // After SIGKILL the demo cannot remove its folder.
    for (const folder of await readdir(env.TMPDIR)) await rm(join(env.TMPDIR, folder), { recursive: true });
  });

  it("fails with one line when the temporary directory does not exist", async () => {
    const run = await runToEnd(main, short, { TMPDIR: "/proc/nonexistent" });
    assert.equal(run.code, 1);
    assert.equal(run.stderr.length, 1, run.stderr.join("\n"));
    assert.match(
      run.stderr[0] ?? "",
      /^lab: cannot create a folder in the temporary directory \/proc\/nonexistent \(TMPDIR\): ENOENT/,
    );
  });

  it("rejects a plan with too few calls for a verdict, before it starts anything", async () => {
    const run = await runToEnd(main, ["--duration", "1s"], env);
    assert.equal(run.code, 2);
    assert.match(
      run.stderr.join("\n"),
      /^lab: --duration \(DURATION\) 1s with --interval \(INTERVAL\) 120ms allows at most 8 calls per client; a verdict needs 18/,
    );
  });
});

describe("the demo with real registries", { skip: present.length === 0 && Object.values(missing).join(", ") }, () => {
  let folder = "";
  let children: readonly number[] = [];
  const strategies = "etcd,consul"; // those not installed are skipped
  // Two servers; for each registry a client, the registry, and its watchdog.
  const count = 2 + 3 * present.length;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "lab-test-"));
  });

  afterEach(async () => {
    await rm(folder, { recursive: true });
    assert.deepEqual(children.filter(isAlive), [], "processes left");
    await assertNothingLeft();
  });

  it(`calls servers that registered in ${present.join(" and ")}`, async (t) => {
    const run = await runToEnd(main, [...short, "--json", "--strategies", strategies], { TMPDIR: folder });
    assert.equal(run.code, 0, run.stderr.join("\n"));
    const report = JSON.parse(run.stdout.join("\n"));
    const got = report.strategies.map((strategy: Record<string, unknown>) => [strategy.name, strategy.verdict]);
    assert.deepEqual(
      got,
      present.map((name) => [name, "BALANCED"]),
    );
    for (const { name, reason } of report.skipped) t.diagnostic(`${name} is skipped: ${reason}`);
    assert.deepEqual(await readdir(folder), [], "files left");
  });

  for (const [signal, code] of [
    ["SIGTERM", 143],
    ["SIGHUP", 129],
  ] as const) {
    it(`stops the registries on ${signal}, and removes their data`, async () => {
      const started = await startDemo({ TMPDIR: folder }, { count, strategies });
      children = started.children;
      started.demo.kill(signal);
      assert.deepEqual(await started.demo.exited, { code, signal: null });
      if (signal === "SIGHUP") await untilDead(children); // killed without a wait
      assert.deepEqual(await readdir(folder), [], "files left");
    });
  }

  it("leaves no registry when it is killed itself", async () => {
    const started = await startDemo({ TMPDIR: folder }, { count, strategies });
    children = started.children;
    started.demo.kill("SIGKILL");
    await started.demo.exited;
    await untilDead(children);
  });
});
