/** Layouts of node_modules in which a package finds only what it declares. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { execute } from "./execute.ts";
import { packageManagers } from "./package-managers.ts";
import { packageNames } from "./packages.ts";
import { startPodServers } from "./pod-servers.ts";
import { createProject } from "./project.ts";
import { callArgs, runProgram } from "./run-program.ts";

const { pnpm, yarn, yarnProgram } = await packageManagers();
const common = {
  packages: packageNames,
  others: ["@grpc/grpc-js", "@grpc/proto-loader"],
  programs: ["calls.mjs", "calls.cjs"],
};
const isolated = await createProject({ ...common, name: "pnpm", installer: pnpm });
const plugAndPlay = await createProject({ ...common, name: "yarn-pnp", installer: yarn });
const pods = await startPodServers();

for (const program of common.programs) {
  const kind = program.endsWith(".mjs") ? "an ES module" : "CommonJS";

  test(`pnpm's isolated packages: the calls of ${kind} reach every pod`, async () => {
    assert.deepEqual(await runProgram(process.execPath, isolated, [program, ...callArgs(pods)]), pods.names);
  });

  test(`Yarn's Plug'n'Play: the calls of ${kind} reach every pod`, async () => {
    const { stdout } = await execute(yarnProgram, ["node", program, ...callArgs(pods)], { folder: plugAndPlay });
    assert.deepEqual(JSON.parse(stdout), pods.names);
  });
}
