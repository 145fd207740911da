import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { test } from "node:test";

const src = import.meta.dirname;

/** The folders that each folder may import, besides itself. */
const allowed: Readonly<Record<string, readonly string[]>> = {
  demo: ["processes", "terminal"],
  policies: ["processes", "terminal"],
  processes: [],
  terminal: [],
};

test("demo and policies import processes and terminal, and no folder imports upwards", () => {
  const imports = globSync("*/**/*.ts", { cwd: src }).flatMap((file) => {
    const text = readFileSync(join(src, file), "utf8");
    return [...text.matchAll(/from "(\.[^"]+)"/g)].map(([, path = ""]) => ({
      file,
      target: relative(src, join(src, dirname(file), path)),
    }));
  });
  assert.ok(imports.length > 50, `${imports.length} imports`);
  const top = (path: string) => path.split("/")[0] ?? "";
  const forbidden = imports.filter(({ file, target }) => {
    const isTesting = target.startsWith("..") && file.endsWith(".test.ts");
    return !isTesting && top(target) !== top(file) && !allowed[top(file)]?.includes(top(target));
  });
  assert.deepEqual(forbidden, []);
});
