/** Tests of a user's program, in the runners that most users have, with their default configurations. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { everyEntryNeeds } from "./every-entry.ts";
import { outcomeOf } from "./execute.ts";
import { packageNames } from "./packages.ts";
import { startPodServers } from "./pod-servers.ts";
import { createProject } from "./project.ts";

const runners = [
  {
    name: "jest",
    command: ["node_modules/jest/bin/jest.js"],
    passed: /^Tests: +3 passed, 3 total$/m,
    folder: await createProject({
      name: "jest",
      packages: packageNames,
      others: [...everyEntryNeeds, "jest"],
      programs: ["jest.test.js"],
    }),
  },
  {
    name: "vitest",
    command: ["node_modules/vitest/vitest.mjs", "run"],
    passed: /Tests +3 passed \(3\)/,
    folder: await createProject({
      name: "vitest",
      packages: packageNames,
      others: [...everyEntryNeeds, "vite", "vitest"],
      programs: ["vitest.spec.mjs"],
    }),
  },
];
const pods = await startPodServers();

for (const { name, command, passed, folder } of runners) {
  test(`${name} runs tests that call servers by gRPC and HTTP, and load what a target needs`, async () => {
    const env = { GRPC: pods.grpc, HTTP: pods.http, PROTO: pods.proto, CI: "true", NO_COLOR: "1" };
    const { code, stdout, stderr } = await outcomeOf(process.execPath, command, { folder, env });
    assert.equal(code, 0, `${stdout}${stderr}`);
    assert.match(`${stdout}${stderr}`, passed);
    assert.doesNotMatch(`${stdout}${stderr}`, /did not exit|open handle|warn/i);
  });
}
