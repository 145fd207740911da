import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { root } from "../test-counts.ts";

function docsTest(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const given = { PATH: process.env.PATH, ...env };
  const program = join(root, ".ci/exercises/main.ts");
  return spawnSync(process.execPath, [program, ...args], { env: given, encoding: "utf8", timeout: 20_000 });
}

for (const [mistake, args, env, message] of [
  ["an unknown track", ["--track", "clusters"], {}, "--track must be no-cluster, cluster, all, got clusters"],
  ["an unknown track in TRACK", [], { TRACK: "no" }, "--track must be no-cluster, cluster, all, got no"],
  ["an exercise that does not exist", [], { EXERCISE: "99" }, "no exercise of the track no-cluster begins with 99"],
] as const) {
  test(`${mistake} exits with 2 and one line`, () => {
    const { status, stderr } = docsTest(args, env);
    assert.equal(stderr, `docs-test: ${message}\n`);
    assert.equal(status, 2);
  });
}

test("without a cluster the cluster's track fails with one line", () => {
  const { status, stderr } = docsTest(["--track", "cluster", "--exercise", "01"], { KUBECONFIG: "/nowhere/config" });
  assert.match(stderr, /^docs-test: no cluster answers: .+\n$/);
  assert.equal(status, 1);
});

test("an exercise fails with its reason when the cluster stops answering, and the others still run", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "grpc-lb-docs-test-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const answers = 'case "$*" in *" config "* | config* | *"/readyz"*) exit 0 ;; esac';
  writeFileSync(join(folder, "kubectl"), `#!/bin/sh\n${answers}\necho refused >&2\nexit 1\n`, { mode: 0o755 });
  writeFileSync(join(folder, "make"), "#!/bin/sh\nexit 0\n", { mode: 0o755 });
  const PATH = `${folder}:${process.env.PATH}`;
  const { status, stdout, stderr } = docsTest(["--track", "cluster", "--exercise", "08,10"], { PATH });
  assert.equal(stderr, "");
  assert.match(stdout, /^FAILED 08-istio: kubectl get: refused\nFAILED 10-hpa: kubectl get: refused\n/);
  assert.match(stdout, /\n0 passed, 3 failed, 0 skipped in .* s\n$/, "the third is that the namespace may be left");
  assert.equal(status, 1);
});
