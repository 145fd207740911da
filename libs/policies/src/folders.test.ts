import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { test } from "node:test";

const src = import.meta.dirname;

/** The folders from the top down: each may import those after it. */
const layers = ["registration", "policies", "balancer", "config"];

/** The layer of a path in src; undefined for the files of src itself. */
const layerOf = (path: string) => (path.includes("/") ? path.slice(0, path.indexOf("/")) : undefined);

/** The imports from folder to folder, each as `importing file → imported file`. Tests are left out: they register policies. */
function importsBetweenFolders(): { readonly from: string; readonly to: string }[] {
  const files = globSync("*/**/*.ts", { cwd: src }).filter((file) => !file.endsWith(".test.ts"));
  return files.flatMap((from) => {
    const text = readFileSync(join(src, from), "utf8");
    const paths = [...text.matchAll(/(?:from|import)[ (]*"(\.[^"]+)"/g)].map(([, path = ""]) => path);
    const targets = paths.map((path) => relative(src, join(src, dirname(from), path)));
    return targets.filter((to) => layerOf(to) !== layerOf(from)).map((to) => ({ from, to }));
  });
}

test("a folder imports only grpc-js.ts and the folders below it: registration, policies, balancer, config", () => {
  const imports = importsBetweenFolders();
  assert.ok(imports.length > 50, `found only ${imports.length} imports`);
  const upward = imports.filter(({ from, to }) => {
    const [importer, imported] = [from, to].map((path) => layers.indexOf(layerOf(path) ?? ""));
    return to !== "grpc-js.ts" && !(Number(importer) >= 0 && Number(imported) > Number(importer));
  });
  assert.deepEqual(upward, []);
});
