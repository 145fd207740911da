/**
 * Installs the packed packages with one version of grpc-js after the other into fresh folders, runs `check.mjs` in each, and
 * writes the table of docs/grpc-js-versions.md: `make grpc-js-versions`. The exit code is 1 if a version that the packages accept
 * as their peer fails.
 */
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execute } from "../consumers/execute.ts";
import { installerEnv, npm } from "../consumers/installers.ts";
import { pack, packageNames } from "../consumers/packages.ts";
import { root } from "../consumers/places.ts";
import { chooseVersions } from "./choose-versions.ts";
import { formatTable, type Row, replaceTable } from "./table.ts";

const page = join(root, "docs/grpc-js-versions.md");
const packed = await Promise.all(packageNames.map(pack));
const { stdout } = await execute("npm", ["view", "@grpc/grpc-js", "versions", "--json"], {
  folder: root,
  env: installerEnv(),
});
const rows: Row[] = [];
for (const { version, isPeer } of chooseVersions(JSON.parse(stdout))) {
  const row: Row = { version, isPeer, ...(await check(version, isPeer)) };
  process.stdout.write(`${formatTable([row]).split("\n").at(-1)}\n`);
  rows.push(row);
}
const packageVersion = JSON.parse(readFileSync(join(root, "libs/resolver/package.json"), "utf8")).version;
const caption = `Version ${packageVersion} of the packages, Node ${process.versions.node}:`;
writeFileSync(page, replaceTable(readFileSync(page, "utf8"), `${caption}\n\n${formatTable(rows)}`));
if (rows.some((row) => row.isPeer && !row.isOk)) process.exitCode = 1;

/** Installs everything and runs the check. */
async function check(version: string, isPeer: boolean): Promise<Pick<Row, "isOk" | "resolver" | "policies">> {
  const folder = mkdtempSync(join(tmpdir(), "grpc-lb-grpc-js-"));
  try {
    copyFileSync(join(import.meta.dirname, "program/check.mjs"), join(folder, "check.mjs"));
    // npm refuses a peer that is too old; what happens to a user who forces it is in the table.
    if (!isPeer) writeFileSync(join(folder, ".npmrc"), "legacy-peer-deps=true\n");
    const tarballs = packed.map(({ name, tarball }) => [name, `file:${tarball}`]);
    const dependencies = { "@grpc/grpc-js": version, ...Object.fromEntries(tarballs) };
    await npm.install(folder, { name: "check", private: true, dependencies }, {});
    const result = await execute(process.execPath, ["check.mjs"], { folder });
    const { resolver, policies }: { resolver: string; policies: Record<string, string> } = JSON.parse(result.stdout);
    const failed = Object.entries(policies).filter(([, outcome]) => outcome !== "ok");
    const names = Object.keys(policies);
    return {
      isOk: resolver === "ok" && failed.length === 0,
      resolver,
      policies: failed.length === 0 ? `all ${names.length} ok` : describe(failed),
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function describe(failed: readonly (readonly [string, string])[]): string {
  return failed.map(([name, outcome]) => (name === "all" ? outcome : `${name}: ${outcome}`)).join("; ");
}
