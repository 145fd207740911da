import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { watchChild } from "@grpc-lb/program/testing";

test("a TERM ends nginx's start with 0 while it waits for addresses", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "grpc-lb-nginx-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const getent = join(folder, "getent");
  writeFileSync(getent, "#!/bin/sh\necho no address >&2\nexit 2\n");
  chmodSync(getent, 0o755);
  const env = { PATH: `${folder}:${process.env.PATH}` };
  const start = watchChild({ command: "sh", args: [join(import.meta.dirname, "start.sh")], env });
  await start.line((line) => line === "no address");
  start.kill("SIGTERM");
  assert.deepEqual(await start.exited, { code: 0, signal: null });
});
