/** The Makefile in a folder of its own, with stand-ins for the programs that it starts. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { root } from "./test-counts.ts";

const makefile = readFileSync(join(root, "Makefile"), "utf8");
const targets = [...makefile.matchAll(/^([a-z0-9-]+):.*## /gm)].map(([, name = ""]) => name);
const ownVariables = [...makefile.matchAll(/^override (\S+) :=/gm)].map(([, name = ""]) => name);

/** A folder with the Makefile, where every program prints its name and arguments, each in brackets. */
function makeWorld(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "grpc-lb-make-"));
  t.after(() => rmSync(folder, { recursive: true }));
  copyFileSync(join(root, "Makefile"), join(folder, "Makefile"));
  const script = `#!/bin/sh\nprintf '%s' "\${0##*/}"; for word in "$@"; do printf ' [%s]' "$word"; done; echo\n`;
  for (const program of ["node", "nx", "biome", "buf", "npm"].map((name) => `node_modules/.bin/${name}`)) {
    write(folder, program, script);
    chmodSync(join(folder, program), 0o755);
  }
  for (const name of ["k8s/doctor.sh", ".ci/install.sh"]) write(folder, name, script);
  for (const file of ["package-lock.json", "node_modules/.runtime", "node_modules/.installed"]) write(folder, file, "");
  write(folder, "libs/a/bench/a.bench.ts", "");
  copyFileSync(join(root, ".ci/not-gnu.mk"), join(folder, ".ci/not-gnu.mk"));
  return folder;
}

function write(folder: string, path: string, text: string): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), text);
}

function make(folder: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  return spawnSync("make", args, { cwd: folder, encoding: "utf8", env: { PATH: process.env.PATH ?? "", ...env } });
}

const variables = [
  ...[
    "ARGS",
    "FOR",
    "NAMESPACE",
    "IMAGE_PREFIX",
    "NODE_IMAGE",
    "PLATFORM",
    "STRATEGY",
    "STRATEGIES",
    "POLICY",
    "FOLLOW",
  ],
  ...[
    "TAIL_LINES",
    "ISTIO_REV",
    "ETCD_IMAGE",
    "CONSUL_IMAGE",
    "ENVOY_IMAGE",
    "REPORT",
    "SANDBOX",
    "TRACK",
    "EXERCISE",
    "PORT",
    "ALLOW_ACTIONS",
    "ANY_OTHER",
  ],
];

for (const value of [
  "x'; touch PLANTED; '",
  'x"; touch PLANTED; "',
  "x; touch PLANTED #",
  "`touch PLANTED`",
  "$(shell touch PLANTED)",
  "$(touch PLANTED)",
  "$$(touch PLANTED)",
  "'\n\ttouch PLANTED\n'",
]) {
  test(`no target runs the value ${JSON.stringify(value)} of a variable`, (t) => {
    const folder = makeWorld(t);
    assert.ok(targets.length > 15 && ownVariables.includes("NODE"), "the Makefile was not understood");
    const given = [...variables, ...ownVariables].map((name) => `${name}=${value}`);
    make(folder, ["-i", ...targets, ...given]);
    make(folder, ["-i", ...targets], Object.fromEntries(variables.map((name) => [name, value])));
    make(folder, [`needs-kube-deploy ${value}`]);
    assert.equal(existsSync(join(folder, "PLANTED")), false, "the value was run");
  });
}

test("a value reaches the program as it was written, and ARGS in words", (t) => {
  const folder = makeWorld(t);
  const said = (...args: string[]) => make(folder, args).stdout.trim().split("\n").at(-1);
  assert.equal(said("doctor", "FOR=a $(b) 'c'"), "doctor.sh [--for] [a $(b) 'c']");
  assert.match(
    said("demo", 'ARGS=--policy=least_request{"choiceCount":3} * --once') ?? "",
    /main\.ts\] \[--policy=least_request\{"choiceCount":3\}\] \[\*\] \[--once\]$/,
  );
  assert.match(said("demo") ?? "", /main\.ts\]$/);
});

test("a target looks for its tools before an installation, and leaves them to its program afterwards", (t) => {
  const folder = makeWorld(t);
  const steps = () => make(folder, ["kube-compare"]).stdout.trim().split("\n");
  const program = "node [k8s/cluster/compare.ts]";
  assert.deepEqual(steps(), [program]);
  rmSync(join(folder, "node_modules/.installed"));
  const needs = "doctor.sh [--for] [kube-compare] [--quiet]";
  assert.deepEqual(steps(), [needs, "install.sh [--include=dev]", program]);
});

test("make demo installs what the programs need, and everything where everything was installed before", (t) => {
  const folder = makeWorld(t);
  const installed = () => /install\.sh.*/.exec(make(folder, ["demo"]).stdout)?.[0];
  assert.equal(installed(), undefined);
  rmSync(join(folder, "node_modules/.runtime"));
  assert.equal(installed(), "install.sh [--include=dev]");
  rmSync(join(folder, "node_modules/.installed"));
  assert.equal(installed(), "install.sh [--omit=dev]");
});

const hasBsdMake = spawnSync("bmake", ["-f", "/dev/null", "-V", "MAKE"]).status === 0;

test("a BSD make fails with one error, which names GNU make", {
  skip: !hasBsdMake && "bmake is not installed",
}, (t) => {
  const { status, stdout, stderr } = spawnSync("bmake", ["demo"], { cwd: makeWorld(t), encoding: "utf8" });
  assert.notEqual(status, 0);
  const lines = `${stdout}${stderr}`.split("\n").filter((line) => line !== "" && !line.includes("stopped in"));
  assert.equal(lines.length, 1, lines.join("\n"));
  assert.match(lines[0] ?? "", /GNU make.*gmake/);
});
