/** ES modules and CommonJS, on every version of Node that the packages support. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { nodeVersions } from "./nodes.ts";
import { packageNames } from "./packages.ts";
import { startPodServers } from "./pod-servers.ts";
import { createProject } from "./project.ts";
import { callArgs, runProgram } from "./run-program.ts";

const folder = await createProject({
  name: "imports",
  packages: packageNames,
  programs: ["calls.mjs", "calls.cjs", "one-registry.mjs"],
  others: ["@grpc/grpc-js", "@grpc/proto-loader"],
});
const nodes = await nodeVersions();
const pods = await startPodServers();

for (const { name, program } of nodes) {
  test(`${name}: an ES module imports the packages, and its calls reach every pod`, async () => {
    assert.deepEqual(await runProgram(program, folder, ["calls.mjs", ...callArgs(pods)]), pods.names);
  });

  test(`${name}: CommonJS requires the packages, and its calls reach every pod`, async () => {
    assert.deepEqual(await runProgram(program, folder, ["calls.cjs", ...callArgs(pods)]), pods.names);
  });

  test(`${name}: what CommonJS registers holds for ES modules, and both have the same exports`, async () => {
    const got = await runProgram(program, folder, ["one-registry.mjs", ...callArgs(pods)]);
    assert.deepEqual(got, { names: pods.names, differing: [] });
  });
}
