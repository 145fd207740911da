/** `make test` with a stand-in for Nx: what it prints and how it exits. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { root } from "./test-counts.ts";

/** Runs test-all.ts in a checkout whose Nx runs `script`. */
function testAll(t: TestContext, script: string, env: Readonly<Record<string, string>> = {}) {
  const folder = mkdtempSync(join(tmpdir(), "grpc-lb-test-all-"));
  t.after(() => rmSync(folder, { recursive: true }));
  for (const file of ["test-all.ts", "test-counts.ts"]) cpSync(join(root, ".ci", file), join(folder, ".ci", file));
  const nx = join(folder, "node_modules/.bin/nx");
  mkdirSync(dirname(nx), { recursive: true });
  writeFileSync(nx, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  mkdirSync(join(folder, "libs/old/out"), { recursive: true });
  writeFileSync(join(folder, "libs/old/out/tests.json"), '{"passed":100,"failed":100,"skipped":100}');
  const args = [join(folder, ".ci/test-all.ts")];
  return spawnSync(process.execPath, args, { encoding: "utf8", env: { PATH: process.env.PATH, ...env } });
}

const counts = (project: string, passed: number, failed: number, skipped = 0) =>
  `mkdir -p ${project}/out; echo '${JSON.stringify({ passed, failed, skipped })}' >${project}/out/tests.json`;

test("the last line has the sum of the projects' counts, without those of an earlier run", (t) => {
  const script = [counts("libs/a", 2, 0, 1), counts("apps/b", 3, 0), counts(".ci", 1, 0)].join("\n");
  const { status, stdout } = testAll(t, script);
  assert.deepEqual([status, stdout], [0, "1 skipped, with their reasons above\n6 passed, 0 failed\n"]);
});

test("a failed test fails the run", (t) => {
  const { status, stdout } = testAll(t, `${counts("libs/a", 2, 1)}; exit 1`);
  assert.deepEqual([status, stdout], [1, "2 passed, 1 failed\n"]);
});

test("a project that cannot start its tests counts as a failed test", (t) => {
  const { status, stdout } = testAll(t, `${counts("libs/a", 2, 0)}; exit 1`);
  assert.deepEqual([status, stdout], [1, "2 passed, 1 failed\n"]);
});

test("a run without a test fails", (t) => {
  const { status, stdout } = testAll(t, "true");
  assert.deepEqual([status, stdout], [1, "0 passed, 0 failed\n"]);
});

test("a folder for temporary files that does not exist is one line", (t) => {
  // Nobody can create a folder below a file: Node's compile cache would create any other.
  const folder = join(import.meta.filename, "tmp");
  const { status, stdout, stderr } = testAll(t, "true", { TMPDIR: folder });
  assert.deepEqual([status, stdout], [1, ""]);
  const [start, end] = stderr.split(folder);
  assert.equal(start, "test: cannot write to the folder for temporary files, ");
  assert.match(end ?? "", /^; .*TMPDIR.*\n$/);
});
