import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { runToEnd } from "@grpc-lb/program/testing";
import { optionalPackages } from "./optional-package.ts";

test("the optional packages and their ranges are those of package.json", () => {
  const manifest = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  assert.deepEqual(optionalPackages, manifest.peerDependencies);
  for (const name of Object.keys(optionalPackages)) {
    assert.deepEqual(manifest.peerDependenciesMeta[name], { optional: true }, name);
  }
});

const program = new URL("../../testing/programs/missing-package.ts", import.meta.url).pathname;

for (const [what, name, want] of [
  [
    "a file of YAML",
    "yaml",
    /^invalid file: \S+: @grpc-lb\/discovery\/file needs the package yaml: npm install "yaml@\^2\.3\.0"$/,
  ],
  [
    "a kubeconfig",
    "yaml",
    /^invalid kubernetes: cannot read the kubeconfig \S+: @grpc-lb\/discovery\/kubernetes needs the package yaml: npm install "yaml@\^2\.3\.0"$/,
  ],
  [
    "an etcd target",
    "@grpc/grpc-js",
    /^unavailable etcd service web: @grpc-lb\/discovery\/etcd needs the package @grpc\/grpc-js: npm install "@grpc\/grpc-js@\^1\.14\.0"$/,
  ],
  [
    "a registration in etcd",
    "@grpc/grpc-js",
    /^@grpc-lb\/discovery\/registration needs the package @grpc\/grpc-js: npm install "@grpc\/grpc-js@\^1\.14\.0"$/,
  ],
] as const) {
  test(`without ${name}, ${what} is an error that says what to install`, async () => {
    const { code, stdout, stderr } = await runToEnd(program, [what, name]);
    assert.equal(code, 0, stderr.join("\n"));
    assert.match(stdout[0] ?? "", want);
  });
}

test("without yaml, a broken JSON file is still reported as such", async () => {
  const { code, stdout, stderr } = await runToEnd(program, ["a file of broken JSON", "yaml"]);
  assert.equal(code, 0, stderr.join("\n"));
  assert.match(stdout[0] ?? "", /^invalid file: \S+:1: not valid JSON: /);
});
