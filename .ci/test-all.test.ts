/** `make test` with a stand-in for Nx, and the tests of one project: what they print and how they exit. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
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

test("what failed stands right before the last line", (t) => {
  const failures = ["libs/a/a.test.ts:3 adds\n    Error: 1 is not 2"];
  const results = JSON.stringify({ passed: 2, failed: 1, skipped: 1, failures });
  const { stdout } = testAll(t, `mkdir -p libs/a/out; cat >libs/a/out/tests.json <<'E'\n${results}\nE\nexit 1`);
  const lines = ["✖ libs/a/a.test.ts:3 adds", "    Error: 1 is not 2", "1 skipped, with their reasons above"];
  assert.equal(stdout, [...lines, "2 passed, 1 failed", ""].join("\n"));
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

test("the failures of a project have their file, line, name and error, each test once", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "grpc-lb-test-project-"));
  t.after(() => rmSync(folder, { recursive: true }));
  for (const file of ["test-project.ts", "test-counts.ts"]) cpSync(join(root, ".ci", file), join(folder, ".ci", file));
  mkdirSync(join(folder, "libs/a"), { recursive: true });
  const lines = [
    'import { describe, it, test } from "node:test";',
    'describe("sums", () => {',
    '  it("adds", () => { throw new Error("1 is not 2"); });',
    '  it("subtracts", () => {});',
    "});",
    'test("knows", { todo: true }, () => { throw new Error("not yet"); });',
  ];
  writeFileSync(join(folder, "libs/a/a.test.mjs"), lines.join("\n"));
  writeFileSync(join(folder, "libs/a/a.test.ts"), 'import "./a.test.mjs";');
  const env = { PATH: process.env.PATH }; // without what the test runner tells its children
  const run = spawnSync(process.execPath, [join(folder, ".ci/test-project.ts"), "libs/a"], { encoding: "utf8", env });
  assert.match(run.stdout, /libs\/a: 1 passed, 1 failed, 1 skipped in /);
  const { failures, ...counts } = JSON.parse(readFileSync(join(folder, "libs/a/out/tests.json"), "utf8"));
  assert.deepEqual([run.status, counts, failures.length], [1, { passed: 1, failed: 1, skipped: 1 }, 1]);
  assert.match(failures[0], /^libs\/a\/a\.test\.mjs:3 adds\n {4}Error: 1 is not 2\n/);
});
