import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { assertNothingLeft } from "@grpc-lb/core/testing";
import { type RunningProgram, runToEnd, startProgram, watchChild } from "@grpc-lb/program/testing";
import { childrenOf, isAlive, untilDead } from "../../testing/processes.ts";
import { isRegisteredLine, parseServingLine } from "../processes/pod-server.ts";
import { parseEtcdAddress } from "./registries/etcd.ts";
import { whyNoRegistry } from "./registries/registry.ts";

const main = join(import.meta.dirname, "main.ts");
/** Of util-linux: runs a command in a pseudo terminal. */
const script = "/usr/bin/script";
const short = ["--duration", "2s", "--interval", "40ms"];

const registryNames = ["etcd", "consul"] as const;
const missing = {
  etcd: await whyNoRegistry("etcd"),
  consul: await whyNoRegistry("consul"),
};
const present = registryNames.filter((name) => missing[name] === undefined);

/** Starts a lab that would run for long, and waits until all children run, seven by default, and the clients call. */
async function startLab(env: Record<string, string>, { count = 7, strategies = "" } = {}) {
  const lab = startProgram(main, ["--json", "--duration", "60s"], { ...env, STRATEGIES: strategies });
  await lab.line((line) => line.startsWith("lab: the clients call"));
  const children = await childrenOf(lab.pid ?? 0);
  assert.equal(children.length, count);
  return { lab, children };
}

function pidOf(lab: RunningProgram, podName: string): number {
  const line = lab.stderr.find((text) => text.startsWith(`lab: ${podName} serves`));
  return Number(/pid (\d+)/.exec(line ?? "")?.[1]);
}

describe("the lab", { skip: process.platform !== "linux" && "reads /proc" }, () => {
  let children: readonly number[] = [];
  let env = { TMPDIR: "" };

  beforeEach(async () => {
    children = [];
    env = { TMPDIR: await mkdtemp(join(tmpdir(), "lab-test-")) };
  });

  afterEach(async () => {
    const files = await readdir(env.TMPDIR);
    await rm(env.TMPDIR, { recursive: true });
    assert.deepEqual(files, [], "no file may be left");
    assert.deepEqual(children.filter(isAlive), [], "no process may be left");
    await assertNothingLeft();
  });

  it("shows what each strategy must show, as JSON and nothing else on stdout, and skips what lacks its registry", async () => {
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
    ]);
    const reason = (name: string) => `there is no ${name} on the PATH; make doctor says how to get it`;
    assert.deepEqual(
      report.skipped,
      registryNames.map((name) => ({ name, reason: reason(name) })),
    );
    assert.ok(run.stderr.includes(`lab: etcd is skipped: ${reason("etcd")}`), run.stderr.join("\n"));
    const [http, clusterip, roundRobin] = report.strategies;
    assert.equal(clusterip.effectiveBackends, 1);
    assert.equal(clusterip.perPod["server-2"], clusterip.calls);
    assert.ok(roundRobin.effectiveBackends > 2.9);
    assert.ok(http.pValue > 0.001);
    assert.deepEqual(Object.keys(http.perPod), ["server-1", "server-2", "server-3"]);
  });

  it("has the clients that know the pods choose by the policy given", async () => {
    const run = await runToEnd(main, [...short, "--json"], { ...env, POLICY: "ring_hash" });
    assert.equal(run.code, 0, run.stderr.join("\n"));
    const report = JSON.parse(run.stdout.join("\n"));
    const got = report.strategies.map((strategy: Record<string, unknown>) => [strategy.name, strategy.verdict]);
    assert.deepEqual(got.slice(2), [
      ["ring_hash", "PINNED"],
      ["resolver", "PINNED"],
    ]);
  });

  it("has nothing to show when all that was chosen is skipped", async () => {
    const run = await runToEnd(main, ["--strategies", "consul"], { ...env, PATH: env.TMPDIR });
    assert.equal(run.code, 1);
    assert.match(run.stderr.join("\n"), /^lab: nothing to show: consul is skipped: there is no consul on the PATH; /);
  });

  it("lists the strategies when one is wrong", async () => {
    const run = await runToEnd(main, ["--strategies", "http,zookeeper"], env);
    assert.equal(run.code, 2);
    assert.match(
      run.stderr.join("\n"),
      /^lab: --strategies \(STRATEGIES\) must be all or of http, .*, got "zookeeper"$/,
    );
  });

  it("lists the policies when one is wrong", async () => {
    const run = await runToEnd(main, ["--policy", "best"], env);
    assert.equal(run.code, 2);
    assert.equal(run.stderr.length, 1);
    assert.match(run.stderr[0] ?? "", /^lab: --policy must be one of round_robin, pick_first, random, .*, got "best"$/);
  });

  it("prints lines and a table, and no escape code, where there is no terminal", async () => {
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
    it(`stops everything on ${signal}, and claims nothing`, async () => {
      const started = await startLab(env);
      children = started.children;
      started.lab.kill(signal);
      assert.deepEqual(await started.lab.exited, { code, signal: null });
      assert.deepEqual(started.lab.stdout, []);
      assert.equal(started.lab.stderr.at(-1), "lab: stopped before the end, so there is no verdict");
    });
  }

  for (const [signal, code] of [
    ["SIGHUP", 129],
    ["SIGQUIT", 131],
  ] as const) {
    it(`ends at once on ${signal}, and takes everything along`, async () => {
      const started = await startLab(env);
      children = started.children;
      started.lab.kill(signal);
      assert.deepEqual(await started.lab.exited, { code, signal: null });
      assert.deepEqual(started.lab.stdout, []);
      await untilDead(children);
    });
  }

  it("shows the cursor again on Ctrl-\\", { skip: !existsSync(script) && `needs ${script}` }, async () => {
    const lab = watchChild({
      command: script,
      args: ["-qfec", `exec '${process.execPath}' '${main}' --duration 60s`, "/dev/null"],
      env: { PATH: process.env.PATH ?? "", TERM: "xterm-256color", SHELL: "/bin/sh", ...env },
    });
    await lab.line((line) => line.includes(" s of 60 s"));
    const [pid = 0] = await childrenOf(lab.pid ?? 0);
    children = await childrenOf(pid);
    assert.equal(children.length, 7);
    process.kill(pid, "SIGQUIT");
    assert.equal((await lab.exited).code, 131);
    const output = lab.stdout.join("\n");
    assert.ok(output.includes("\x1b[?25l"), "it was hidden");
    assert.ok(output.lastIndexOf("\x1b[?25h") > output.lastIndexOf("\x1b[?25l"), "and is shown");
    await untilDead(children);
  });

  it("stops everything when a server is killed, and says which and how", async () => {
    const started = await startLab(env);
    children = started.children;
    process.kill(pidOf(started.lab, "server-2"), "SIGKILL");
    assert.deepEqual(await started.lab.exited, { code: 1, signal: null });
    assert.deepEqual(started.lab.stdout, []);
    assert.ok(
      started.lab.stderr.some((line) => line.startsWith("lab: server-2 was ended by SIGKILL; ")),
      started.lab.stderr.join("\n"),
    );
  });

  it("takes its children along when it is killed itself", async () => {
    const started = await startLab(env);
    children = started.children;
    started.lab.kill("SIGKILL");
    await started.lab.exited;
    await untilDead(children);
    // The one end after which nobody can remove it.
    for (const folder of await readdir(env.TMPDIR)) await rm(join(env.TMPDIR, folder), { recursive: true });
  });

  it("refuses a plan that cannot end with a verdict, before it starts anything", async () => {
    const run = await runToEnd(main, ["--duration", "1s"], env);
    assert.equal(run.code, 2);
    assert.match(
      run.stderr.join("\n"),
      /^lab: --duration \(DURATION\) 1s with --interval \(INTERVAL\) 200ms is at most 5 calls a client; .* needs 18/,
    );
  });
});

describe("the lab with real registries", { skip: present.length === 0 && Object.values(missing).join(", ") }, () => {
  let folder = "";
  let children: readonly number[] = [];
  const strategies = "etcd,consul"; // what is not here is skipped
  // Three servers; for each registry a client, its own process, and the guard of that.
  const count = 3 + 3 * present.length;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "lab-test-"));
  });

  afterEach(async () => {
    await rm(folder, { recursive: true });
    assert.deepEqual(children.filter(isAlive), [], "no process may be left");
    await assertNothingLeft();
  });

  it(`shows servers that put themselves into ${present.join(" and ")}`, async (t) => {
    const run = await runToEnd(main, [...short, "--json", "--strategies", strategies], { TMPDIR: folder });
    assert.equal(run.code, 0, run.stderr.join("\n"));
    const report = JSON.parse(run.stdout.join("\n"));
    const got = report.strategies.map((strategy: Record<string, unknown>) => [strategy.name, strategy.verdict]);
    assert.deepEqual(
      got,
      present.map((name) => [name, "BALANCED"]),
    );
    for (const { name, reason } of report.skipped) t.diagnostic(`${name} is skipped: ${reason}`);
    assert.deepEqual(await readdir(folder), [], "no file may be left");
  });

  for (const [signal, code] of [
    ["SIGTERM", 143],
    ["SIGHUP", 129],
  ] as const) {
    it(`takes them along on ${signal}, with their data`, async () => {
      const started = await startLab({ TMPDIR: folder }, { count, strategies });
      children = started.children;
      started.lab.kill(signal);
      assert.deepEqual(await started.lab.exited, { code, signal: null });
      if (signal === "SIGHUP") await untilDead(children); // killed, and not waited for
      assert.deepEqual(await readdir(folder), [], "no file may be left");
    });
  }

  it("takes them along when it is killed itself", async () => {
    const started = await startLab({ TMPDIR: folder }, { count, strategies });
    children = started.children;
    started.lab.kill("SIGKILL");
    await started.lab.exited;
    await untilDead(children);
  });
});

describe("a server's log line", () => {
  it("tells the ports when it serves", () => {
    const line = '{"level":"info","app":"server","httpPort":43211,"grpcPort":38233,"msg":"serving"}';
    assert.deepEqual(parseServingLine(line), { httpPort: 43211, grpcPort: 38233 });
    for (const other of [
      "",
      "null",
      "Debugger listening",
      '{"msg":"serving"}',
      '{"msg":"stopped","httpPort":1,"grpcPort":2}',
    ]) {
      assert.equal(parseServingLine(other), undefined, other);
    }
  });

  it("tells when it stands in a registry", () => {
    assert.ok(isRegisteredLine('{"level":"info","app":"server","subject":"etcd: server","msg":"registered"}'));
    for (const other of ["", "null", '{"msg":"serving","httpPort":1,"grpcPort":2}']) {
      assert.ok(!isRegisteredLine(other), other);
    }
  });
});

describe("etcd's log line", () => {
  const wanted = [
    '{"level":"info","ts":"2026-01-01T00:00:00Z","caller":"embed/serve.go:145","msg":"serving client traffic insecurely; this is strongly discouraged!","address":"127.0.0.1:40263"}',
    '{"level":"info","ts":"2026-01-01T00:00:00Z","caller":"embed/serve.go:210","msg":"serving client traffic insecurely; this is strongly discouraged!","traffic":"grpc+http","address":"127.0.0.1:40263"}',
  ];
  for (const [i, line] of wanted.entries()) {
    it(`tells where it serves, as ${["3.4", "3.5"][i]} writes it`, () => {
      assert.equal(parseEtcdAddress(line), "127.0.0.1:40263");
    });
  }

  it("of another kind tells nothing", () => {
    assert.equal(parseEtcdAddress('{"msg":"ready to serve client requests"}'), undefined);
    assert.equal(parseEtcdAddress('{"msg":"serving peer traffic","address":"127.0.0.1:37911"}'), undefined);
  });
});
