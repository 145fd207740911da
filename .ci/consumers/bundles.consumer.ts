/** Bundles of esbuild, in both formats. They run where nothing is installed. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { bundle } from "./bundle.ts";
import { everyEntryArgs, everyEntryNeeds, everyEntryResult } from "./every-entry.ts";
import { nodeVersions } from "./nodes.ts";
import { packageNames } from "./packages.ts";
import { startPodServers } from "./pod-servers.ts";
import { createProject } from "./project.ts";
import { runProgram } from "./run-program.ts";

const formats = [
  { format: "cjs", file: "bundle.cjs" },
  { format: "esm", file: "bundle.mjs" },
] as const;

const folder = await createProject({
  name: "bundles",
  packages: packageNames,
  programs: ["every-entry.ts"],
  others: [...everyEntryNeeds, "esbuild"],
});
const empty = await createProject({ name: "nothing", packages: [], others: [], programs: [] });
const nodes = await nodeVersions();
const pods = await startPodServers();

for (const { format, file } of formats) {
  test(`esbuild bundles each public entry as ${format}, without a warning`, async () => {
    await bundle(folder, "every-entry.ts", format, join(empty, file));
  });

  for (const { name, program } of nodes) {
    test(`${name} runs the ${format} bundle`, async () => {
      const got = await runProgram(program, empty, [file, ...everyEntryArgs(empty, pods)]);
      assert.deepEqual(got, everyEntryResult(pods));
    });
  }
}
