/** install.sh with a stand-in for npm: with which flags it installs, and what it reports. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { root } from "./test-counts.ts";

interface World {
  /** What `npm ping` runs. */
  readonly ping?: string;
  /** What `npm ci` runs after it has printed its arguments. */
  readonly ci?: string;
  /** The version of node_modules/.bin/node. */
  readonly version?: string;
  readonly env?: Readonly<Record<string, string>>;
}

function install(t: TestContext, { ping = "true", ci = "true", version = "v24.1.0", env: given = {} }: World) {
  const folder = mkdtempSync(join(tmpdir(), "grpc-lb-install-"));
  t.after(() => rmSync(folder, { recursive: true }));
  for (const path of ["bin", "k8s", "node_modules/.bin"]) mkdirSync(join(folder, path), { recursive: true });
  const program = (path: string, script: string) =>
    writeFileSync(join(folder, path), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  program(
    "bin/npm",
    `case $1 in ping) ${ping} ;; config) echo https://registry.example ;; ci) echo "npm $*"; ${ci} ;; esac`,
  );
  program("k8s/doctor.sh", "true");
  program("node_modules/.bin/node", `echo ${version}`);
  cpSync(join(root, ".ci/install.sh"), join(folder, "install.sh"));
  const env = { ...given, MACHINE_PATH: `${folder}/bin:${process.env.PATH}` };
  return spawnSync("sh", ["install.sh", "--include=dev"], { cwd: folder, env, encoding: "utf8" });
}

test("npm installs everything that is needed, whatever its environment and configuration are", (t) => {
  const { status, stdout, stderr } = install(t, {});
  assert.equal(status, 0, stderr);
  for (const flag of ["--include=dev", "--include=optional", "--ignore-scripts=false", "--bin-links", "--no-dry-run"])
    assert.ok(stdout.split(/\s/).includes(flag), `${flag} is missing in: ${stdout}`);
  assert.doesNotMatch(stdout, /--offline/);
});

test("npm gets no settings from the environment that make it install some workspaces only", (t) => {
  const env = {
    NPM_CONFIG_WORKSPACES: "false",
    npm_config_workspace: "apps/lab",
    NPM_CONFIG_dry_run: "true",
    npm_config_cache: "/c",
  };
  const { stdout } = install(t, { ci: "env", env });
  const settings = stdout.split("\n").filter((line) => /^npm_config_/i.test(line));
  assert.deepEqual(settings.sort(), ["npm_config_cache=/c", "npm_config_dry_run=false"]);
});

test("a registry that does not answer: npm uses its cache, and the error names the registry and the reason", (t) => {
  const { status, stdout, stderr } = install(t, { ping: "echo npm error code ECONNREFUSED >&2; exit 1", ci: "exit 1" });
  assert.equal(status, 1);
  assert.match(stdout, /^npm ci .*--offline/m);
  assert.match(stderr, /^init: .*registry https:\/\/registry\.example does not answer: code ECONNREFUSED$/m);
});

test("a registry without the ping endpoint is used", (t) => {
  const { status, stdout } = install(t, { ping: "echo npm error code E404 >&2; exit 1" });
  assert.equal(status, 0);
  assert.doesNotMatch(stdout, /--offline/);
});

test("a node that is not Node 24 after the install is an error with the cause", (t) => {
  const { status, stderr } = install(t, { version: "v20.0.0" });
  assert.equal(status, 1);
  assert.match(stderr, /^init: .*must be Node 24, got v20\.0\.0: the install script of the package node failed\n$/);
});
