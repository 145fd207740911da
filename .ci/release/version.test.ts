import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { readChanges, readVersion, removePrivateChangelogs, setVersion } from "./version.ts";

function folderWith(t: TestContext, files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), "grpc-lb-version-"));
  t.after(() => rmSync(folder, { recursive: true }));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return folder;
}

test("the version is replaced in the root, the examples, the manifests and the Dockerfile, and no other number is", (t) => {
  const folder = folderWith(t, {
    "package.json": '{ "version": "0.1.0", "devDependencies": { "x": "0.1.0" } }',
    "examples/esm/package.json": '{ "@grpc-lb/resolver": "^0.1.0", "x": "^0.1.0" }',
    "k8s/base/server.yaml": "image: grpc-lb/server:0.1.0\nversion: 0.1.0\nother: 0.1.0\n",
    "k8s/Dockerfile": "# docker build --build-arg VERSION=0.1.0 -t grpc-lb/server:0.1.0\n",
  });
  setVersion(folder, "0.1.0", "0.2.0");
  assert.equal(readVersion(folder), "0.2.0");
  const read = (path: string) => readFileSync(join(folder, path), "utf8");
  assert.equal(read("package.json"), '{ "version": "0.2.0", "devDependencies": { "x": "0.1.0" } }');
  assert.equal(read("examples/esm/package.json"), '{ "@grpc-lb/resolver": "^0.2.0", "x": "^0.1.0" }');
  assert.equal(read("k8s/base/server.yaml"), "image: grpc-lb/server:0.2.0\nversion: 0.2.0\nother: 0.1.0\n");
  assert.equal(read("k8s/Dockerfile"), "# docker build --build-arg VERSION=0.2.0 -t grpc-lb/server:0.2.0\n");
});

test("only published packages keep a changelog", (t) => {
  const folder = folderWith(t, {
    "libs/core/package.json": '{ "private": true }',
    "libs/core/CHANGELOG.md": "",
    "libs/resolver/package.json": "{}",
    "libs/resolver/CHANGELOG.md": "",
  });
  removePrivateChangelogs(folder);
  assert.equal(existsSync(join(folder, "libs/core/CHANGELOG.md")), false);
  assert.equal(existsSync(join(folder, "libs/resolver/CHANGELOG.md")), true);
});

test("the changes of a version are its section of the changelog", () => {
  const changelog = "# x\n\n## 0.2.0\n\n- new\n\n## 0.1.0\n\n- first\n";
  assert.equal(readChanges(changelog, "0.2.0"), "- new");
  assert.equal(readChanges(changelog, "0.1.0"), "- first");
  assert.equal(readChanges(changelog, "9.9.9"), "");
});
