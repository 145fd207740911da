/** A second copy of grpc-js, which some other library brings: a warning, and our own copy works. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { bundle } from "./bundle.ts";
import { execute } from "./execute.ts";
import { packageNames } from "./packages.ts";
import { startPodServers } from "./pod-servers.ts";
import { createProject } from "./project.ts";
import { callArgs } from "./run-program.ts";

const folder = await createProject({
  name: "two-copies",
  packages: packageNames,
  others: ["@grpc/grpc-js", "@grpc/proto-loader", "esbuild"],
  folders: ["other-library"],
  programs: ["two-copies.mjs"],
});
const pods = await startPodServers();

/** Runs the program and checks what it writes. */
async function checkProgram(program: string): Promise<void> {
  const { stdout } = await execute(process.execPath, [program, ...callArgs(pods)], { folder });
  const { names, warnings } = JSON.parse(stdout) as { names: string[]; warnings: string[] };
  assert.deepEqual(names, pods.names);
  const ours = warnings.filter((warning) => /copies of @grpc\/grpc-js/.test(warning));
  assert.ok(ours.length > 0, `the warnings are: ${warnings.join("\n")}`);
}

test("two installed copies of grpc-js: a warning, and calls reach every pod", async () => {
  await checkProgram("two-copies.mjs");
});

test("two copies of grpc-js in a bundle: a warning, and calls reach every pod", async () => {
  await bundle(folder, "two-copies.mjs", "esm", join(folder, "bundle.mjs"));
  await checkProgram("bundle.mjs");
});
