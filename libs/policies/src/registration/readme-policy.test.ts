import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { status } from "@grpc/grpc-js";
import { runToEnd } from "@grpc-lb/program/testing";
import { Backend } from "../../testing/backend.ts";

const root = join(import.meta.dirname, "../..");

test("the policy of the README runs: it avoids a server whose calls fail", async (t) => {
  const good = await Backend.start("good");
  const bad = await Backend.start("bad");
  bad.fail(status.INTERNAL);
  mkdirSync(join(root, "out"), { recursive: true });
  const folder = mkdtempSync(join(root, "out/readme-")); // in the package, so that imports are found
  t.after(() => {
    for (const server of [good, bad]) server.kill();
    rmSync(folder, { recursive: true });
  });
  const [, code = ""] = /```ts fewest-calls\.ts\n(.*?)```/s.exec(readFileSync(join(root, "README.md"), "utf8")) ?? [];
  const target = `ipv4:127.0.0.1:${bad.port},127.0.0.1:${good.port}`;
  const main = join(folder, "main.ts");
  writeFileSync(main, code.replace("dns:///server-headless:30051", target));
  const { code: exit, stdout, stderr } = await runToEnd(main, []);
  assert.equal(exit, 0, stderr.join("\n"));
  assert.equal(stdout.length, 4);
  // Until the good server is connected, all calls are the bad one's; it may also be connected first, and the other get the second call.
  const sinceBoth = stdout.slice(Math.max(0, stdout.indexOf("good")));
  const failures = sinceBoth.filter((line) => line === "INTERNAL").length;
  assert.ok(failures <= 1, `a server gets no call after a failure, while another is there; got ${stdout}`);
  assert.equal(stdout.at(-1), "good");
});
