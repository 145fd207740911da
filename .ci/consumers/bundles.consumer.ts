/** Bundles of esbuild, in both formats. They run where nothing is installed. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { everyEntryArgs, everyEntryNeeds, everyEntryResult } from "./every-entry.ts";
import { execute } from "./execute.ts";
import { nodeVersions } from "./nodes.ts";
import { packageNames } from "./packages.ts";
import { startPodServers } from "./pod-servers.ts";
import { createProject } from "./project.ts";
import { runProgram } from "./run-program.ts";

/** grpc-js is CommonJS that requires modules of Node, which a bundle of ES modules cannot without this. */
const banner = `import { createRequire } from "node:module"; const require = createRequire(import.meta.url);`;
const formats = [
  { format: "cjs", file: "bundle.cjs", flags: [] },
  { format: "esm", file: "bundle.mjs", flags: [`--banner:js=${banner}`] },
];

const folder = await createProject({
  name: "bundles",
  packages: packageNames,
  programs: ["every-entry.ts"],
  others: [...everyEntryNeeds, "esbuild"],
});
const empty = await createProject({ name: "nothing", packages: [], others: [], programs: [] });
const nodes = await nodeVersions();
const pods = await startPodServers();

for (const { format, file, flags } of formats) {
  test(`esbuild bundles each public entry as ${format}, without a warning`, async () => {
    const esbuild = join(folder, "node_modules/.bin/esbuild");
    const out = `--outfile=${join(empty, file)}`;
    const fixed = ["every-entry.ts", "--bundle", "--platform=node", `--format=${format}`, "--log-level=warning", out];
    const { stderr } = await execute(esbuild, [...fixed, ...flags], { folder });
    assert.equal(stderr, "");
  });

  for (const { name, program } of nodes) {
    test(`${name} runs the ${format} bundle`, async () => {
      const got = await runProgram(program, empty, [file, ...everyEntryArgs(empty, pods)]);
      assert.deepEqual(got, everyEntryResult(pods));
    });
  }
}
