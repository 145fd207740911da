import assert from "node:assert/strict";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { assertNothingLeft } from "@grpc-lb/core/testing";
import { runToEnd, startProgram } from "@grpc-lb/program/testing";
import { childrenOf, untilDead } from "../../../testing/processes.ts";
import { commandOf, whyUnavailable } from "../programs.ts";

const main = join(import.meta.dirname, "../main.ts");

for (const name of ["envoy", "nginx", "haproxy"] as const) {
  const reason = await whyUnavailable(name);

  describe(`the demo with the real ${name}`, { skip: reason ?? false }, () => {
    let env = {};
    let folder = "";

    before(async () => {
      folder = await mkdtemp(join(tmpdir(), "lab-test-"));
      env = { TMPDIR: folder, [name.toUpperCase()]: commandOf(name) };
    });

    after(async () => {
      await rm(folder, { recursive: true });
      await assertNothingLeft();
    });

    it("follows the pods of a rolling update", async () => {
      const args = ["--scene", "rolling", "--strategies", name, "--duration", "1s", "--interval", "20ms", "--json"];
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
