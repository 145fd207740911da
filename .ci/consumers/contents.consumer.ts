/** What is in the packages, and how much an installation adds. */
import assert from "node:assert/strict";
import { globSync, lstatSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { distOf, pack, packageNames } from "./packages.ts";
import { install } from "./project.ts";

const maxAddedBytes = 3_000_000;
const packed = await Promise.all(packageNames.map(pack));

for (const [index, name] of packageNames.entries()) {
  const files = packed[index]?.files ?? [];
  const paths = files.map(({ path }) => path);

  test(`@grpc-lb/${name} has licence, README, changelog and code, and no test, bench, e2e or source file`, (t) => {
    for (const path of [
      "LICENSE",
      "README.md",
      "CHANGELOG.md",
      "package.json",
      "index.js",
      "index.mjs",
      "index.d.ts",
    ]) {
      assert.ok(paths.includes(path), `${path} is missing`);
    }
    const unwanted =
      /\.(test|bench|e2e)\.|(^|\/)(bench|e2e|test|out|node_modules)\/|(?<!\.d)\.[cm]?ts$|tsbuildinfo|tsconfig/;
    const found = paths.filter((path) => unwanted.test(path));
    assert.deepEqual(found, []);
    const bytes = files.reduce((sum, { size }) => sum + size, 0);
    t.diagnostic(`@grpc-lb/${name}: ${files.length} files, ${(bytes / 1e6).toFixed(2)} MB`);
  });

  test(`the package.json of @grpc-lb/${name} says what a registry shows, and has nothing of development`, () => {
    const manifest = JSON.parse(readFileSync(join(distOf(name), "package.json"), "utf8"));
    for (const field of ["description", "keywords", "homepage", "repository", "license", "engines", "sideEffects"]) {
      assert.ok(manifest[field] !== undefined, `${field} is missing`);
    }
    for (const field of ["devDependencies", "scripts", "private", "nx"]) {
      assert.equal(manifest[field], undefined, `${field} is there`);
    }
  });

  test(`the README of @grpc-lb/${name} has no relative link`, () => {
    const text = readFileSync(join(distOf(name), "README.md"), "utf8");
    const links = [...text.matchAll(/\]\(([^)\s]+)|^\[[^\]]+\]: *(\S+)|(?:src|href)="([^"]+)"/gm)];
    const relative = links.map(([, ...found]) => found.find((link) => link !== undefined) ?? "");
    assert.deepEqual(
      relative.filter((link) => !/^(https?:|mailto:|#)/.test(link)),
      [],
    );
  });
}

test("the resolver with its needs adds at most 3 MB to grpc-js", async (t) => {
  const others = ["@grpc/grpc-js"];
  const alone = bytesOf(await install({ name: "size-alone", packages: [], others }));
  const bytes = bytesOf(await install({ name: "size-resolver", packages: ["discovery", "resolver"], others }));
  const megabytes = (count: number) => `${(count / 1e6).toFixed(2)} MB`;
  t.diagnostic(`grpc-js ${megabytes(alone)}, with the resolver ${megabytes(bytes)}: ${megabytes(bytes - alone)} more`);
  assert.ok(bytes - alone <= maxAddedBytes, `${bytes - alone} bytes`);
});

/** The sizes of all files of an installation. */
function bytesOf(folder: string): number {
  const files = globSync("node_modules/**/*", { cwd: folder }).map((path) => lstatSync(join(folder, path)));
  return files.reduce((sum, file) => sum + (file.isFile() ? file.size : 0), 0);
}
