/** The clients that are built on grpc-js and on fetch. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { execute } from "./execute.ts";
import { packageNames } from "./packages.ts";
import { compileCache } from "./places.ts";
import { startPodServers } from "./pod-servers.ts";
import { createProject } from "./project.ts";
import { callArgs, runProgram } from "./run-program.ts";

const grpc = ["@grpc/grpc-js", "@grpc/proto-loader"];
const nest = await createProject({
  name: "nest",
  packages: ["discovery", "resolver"],
  others: [
    ...grpc,
    ...["@nestjs/common", "@nestjs/core", "@nestjs/microservices", "reflect-metadata", "rxjs"],
    ...["@types/node", "typescript-5"],
  ],
  programs: ["nest.ts"],
});
const niceGrpc = await createProject({
  name: "nice-grpc",
  packages: packageNames,
  others: [...grpc, "nice-grpc"],
  programs: ["nice-grpc.mjs"],
});
const connect = await createProject({
  name: "connect",
  packages: ["discovery", "resolver"],
  others: [
    ...["@bufbuild/protobuf", "@connectrpc/connect", "@connectrpc/connect-node", "@connectrpc/connect-web"],
    ...["@grpc/grpc-js", "undici"],
  ],
  programs: ["connect-web.mjs"],
});
const protoLoader = await createProject({
  name: "proto-loader",
  packages: packageNames,
  others: grpc,
  programs: ["calls.cjs"],
});
const pods = await startPodServers();

test("NestJS: a target is the url of a client of ClientsModule", async () => {
  const flags = ["--target", "es2022", "--module", "nodenext", "--strict", "--types", "node"];
  const decorators = ["--experimentalDecorators", "--emitDecoratorMetadata"];
  const tsc = join(nest, "node_modules/typescript-5/bin/tsc");
  await execute(process.execPath, [tsc, ...flags, ...decorators, "nest.ts"], { folder: nest, env: compileCache });
  assert.deepEqual(await runProgram(process.execPath, nest, ["nest.js", ...callArgs(pods)]), pods.names);
});

for (const [name, folder, program] of [
  ["nice-grpc: a channel takes a target and a policy", niceGrpc, "nice-grpc.mjs"],
  ["@grpc/proto-loader: a client takes a target and a policy", protoLoader, "calls.cjs"],
  ["connect-web: undici's fetch goes to every server of a target by the dispatcher", connect, "connect-web.mjs"],
] as const) {
  test(name, async () => {
    assert.deepEqual(await runProgram(process.execPath, folder, [program, ...callArgs(pods)]), pods.names);
  });
}
