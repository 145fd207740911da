/** publint and Are the Types Wrong, without a problem of any kind, for every entry and every way to resolve it. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { outcomeOf } from "./execute.ts";
import { distOf, pack, packageNames } from "./packages.ts";
import { install } from "./project.ts";

const tools = await install({ name: "quality", packages: [], others: ["publint", "@arethetypeswrong/cli"] });
const packed = await Promise.all(packageNames.map(pack));

/** Runs a tool on a tarball; it must find nothing. */
async function check(tool: string, args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await outcomeOf(join(tools, "node_modules/.bin", tool), args, { folder: tools });
  assert.equal(code, 0, `${stdout}${stderr}`);
  return stdout;
}

for (const [index, name] of packageNames.entries()) {
  const tarball = packed[index]?.tarball ?? "";

  test(`publint finds no problem of @grpc-lb/${name}`, async () => {
    await check("publint", [tarball, "--strict"]);
  });

  test(`Are the Types Wrong finds no problem of any entry of @grpc-lb/${name}`, async () => {
    const table = await check("attw", [tarball, "--no-color", "--no-emoji", "--format", "table"]);
    assert.match(table, /No problems found/);
    const { exports } = JSON.parse(readFileSync(join(distOf(name), "package.json"), "utf8"));
    for (const entry of Object.keys(exports)) {
      assert.ok(table.includes(`"@grpc-lb/${name}${entry.slice(1)}"`), `${entry} was not checked:\n${table}`);
    }
  });
}
