import assert from "node:assert/strict";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it, test } from "node:test";
import { systemClock } from "@grpc-lb/core";
import { assertNothingLeft } from "@grpc-lb/core/testing";
import { runToEnd, startProgram } from "@grpc-lb/program/testing";
import { childrenOf, untilDead } from "../../../testing/processes.ts";
import { startPodServer } from "../../processes/pod-server.ts";
import { ProcessGroup } from "../../processes/process-group.ts";
import { commandOf, whyUnavailable } from "../programs.ts";
import { startProxies } from "./start-proxies.ts";

const main = join(import.meta.dirname, "../main.ts");
const client = join(import.meta.dirname, "../../../../client-grpc/src/main.ts");

for (const name of ["envoy", "nginx", "haproxy", "envoy-xds"] as const) {
  const program = name === "envoy-xds" ? "envoy" : name;
  const reason = await whyUnavailable(program);

  describe(`the demo with the real ${name}`, { skip: reason ?? false }, () => {
    let env = {};
    let folder = "";

    before(async () => {
      folder = await mkdtemp(join(tmpdir(), "lab-test-"));
      env = { TMPDIR: folder, [program.toUpperCase()]: commandOf(program) };
    });

    after(async () => {
      await rm(folder, { recursive: true });
      await assertNothingLeft();
    });

    it("follows the pods of a rolling update", async () => {
      const args = [
        "--scene",
        "rolling",
        "--strategies",
        name,
        "--duration",
        "1s",
        "--interval",
        "20ms",
        "--settle",
        "800ms",
        "--json",
      ];
      const run = await runToEnd(main, args, env);
      assert.equal(run.code, 0, run.stderr.join("\n"));
      const report = JSON.parse(run.stdout.join("\n"));
      assert.equal(report.strategies[0].verdict, "BALANCED");
      assert.deepEqual(await readdir(folder), [], "files left");
      assert.deepEqual(Object.keys(report.strategies[0].perPodAfter), ["server-4", "server-5", "server-6"]);
    });

    it("leaves no proxy when it is killed itself", {
      skip: process.platform !== "linux" && "reads /proc",
    }, async () => {
      const demo = startProgram(main, ["--strategies", name, "--duration", "60s", "--json"], env);
      await demo.line((line) => line.startsWith("lab: the clients call"));
      const children = await childrenOf(demo.pid ?? 0);
      const grandchildren = (await Promise.all(children.map(childrenOf))).flat().filter((pid) => pid > 0);
      demo.kill("SIGKILL");
      await demo.exited;
      await untilDead([...children, ...grandchildren]);
    });
  });
}

const noEnvoy = await whyUnavailable("envoy");

test("the real envoy keeps the calls of a hash key on one pod, and another key may have another pod", {
  skip: noEnvoy ?? false,
}, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "lab-test-"));
  const group = new ProcessGroup();
  t.after(async () => {
    await group.close();
    await rm(folder, { recursive: true });
    await assertNothingLeft();
  });
  const options = { group, clock: systemClock, signal: AbortSignal.timeout(30_000), folder };
  const pods = await Promise.all(
    ["server-1", "server-2", "server-3"].map((name) => startPodServer(group, name, options.clock, options.signal)),
  );
  const { ports } = await startProxies(["envoy"], { ...options, pods });
  const podsOf = async (key: string) => {
    const args = ["--target", `127.0.0.1:${ports.envoy}`, "--hash-key", key, "--count", "10", "--interval", "1ms"];
    const { code, stdout, stderr } = await runToEnd(client, args);
    assert.equal(code, 0, stderr.join("\n"));
    return new Set(stdout.flatMap((line) => /^#\d+: (.*)$/.exec(line)?.[1] ?? []));
  };
  const reached = new Set<string>();
  for (let key = 0; key < 12 && reached.size < 2; key++) {
    const [pod = "", ...others] = await podsOf(`key-${key}`);
    assert.deepEqual(others, [], `key-${key}`);
    reached.add(pod);
  }
  assert.equal(reached.size, 2);
});
