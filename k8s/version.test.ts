import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

const root = join(import.meta.dirname, "..");
const read = (path: string) => readFileSync(join(root, path), "utf8");
const { version } = JSON.parse(read("package.json"));

/** Every place that contains the version: the file, and the version in it. */
const places = [
  ...globSync(["protos/package.json", "{libs,apps}/*/package.json", "k8s/package.json"], { cwd: root }).flatMap(
    (path) => {
      const { version, dependencies = {} } = JSON.parse(read(path));
      const siblings = Object.entries(dependencies).filter(([name]) => name.startsWith("@grpc-lb/"));
      return [[path, version], ...siblings.map(([name, wanted]) => [`${path}: ${name}`, wanted])];
    },
  ),
  ...globSync("k8s/{base,components,overlays}/**/*.yaml", { cwd: root }).flatMap((path) =>
    [...read(path).matchAll(/(?:\bversion: |image: grpc-lb\/[a-z-]+:)(\S+)/g)].map(([, found]) => [path, found]),
  ),
  ...[...read("k8s/Dockerfile").matchAll(/(?:VERSION=|-t grpc-lb\/\w+:)(\d\S*)/g)].map(([, found]) => [
    "k8s/Dockerfile",
    found,
  ]),
];

test(`the version of package.json, ${version}, is the version of every package, manifest and image`, () => {
  const files = new Set(places.map(([path]) => path));
  for (const path of ["k8s/Dockerfile", "k8s/base/server/deployment.yaml", "k8s/base/server/kustomization.yaml"])
    assert.ok(files.has(path), `nothing was found in ${path}`);
  assert.deepEqual(
    places.filter(([, found]) => found !== version),
    [],
  );
});
