/** The types, as each kind of TypeScript project sees them: strict, and without skipLibCheck. The compiled programs run. */
import assert from "node:assert/strict";
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { everyEntryArgs, everyEntryNeeds, everyEntryResult } from "./every-entry.ts";
import { execute } from "./execute.ts";
import { nodeVersions } from "./nodes.ts";
import { packageNames } from "./packages.ts";
import { compileCache } from "./places.ts";
import { startPodServers } from "./pod-servers.ts";
import { createProject } from "./project.ts";
import { runProgram } from "./run-program.ts";

interface Mode {
  readonly type: "module" | "commonjs";
  readonly module: string;
  readonly moduleResolution: string;
}

const nodeNext: Mode = { type: "module", module: "nodenext", moduleResolution: "nodenext" };
const modes: readonly Mode[] = [
  nodeNext,
  { type: "commonjs", module: "nodenext", moduleResolution: "nodenext" },
  { type: "module", module: "node16", moduleResolution: "node16" },
  { type: "commonjs", module: "node16", moduleResolution: "node16" },
  { type: "module", module: "esnext", moduleResolution: "bundler" },
];
/** The newest TypeScript does not have it any more. */
const node10: Mode = { type: "commonjs", module: "commonjs", moduleResolution: "node10" };
const compilers = [
  { name: "TypeScript 5.9", program: "typescript-5/bin/tsc", modes: [...modes, node10] },
  { name: "the newest TypeScript", program: "typescript/bin/tsc", modes },
];

const folder = await createProject({
  name: "types",
  packages: packageNames,
  programs: ["every-entry.ts"],
  others: [...everyEntryNeeds, "@types/node", "typescript", "typescript-5"],
});

const compilations = new Map<string, Promise<string>>();

/** Compiles the program, once, and returns its folder. */
function compile(program: string, { type, module, moduleResolution }: Mode): Promise<string> {
  const place = join(folder, [program.split("/")[0], type, module, moduleResolution].join("-"));
  let compilation = compilations.get(place);
  if (compilation) return compilation;
  mkdirSync(place, { recursive: true });
  copyFileSync(join(folder, "every-entry.ts"), join(place, "every-entry.ts"));
  writeFileSync(join(place, "package.json"), JSON.stringify({ type }));
  const rules = { strict: true, skipLibCheck: false };
  const compilerOptions = { target: "es2022", module, moduleResolution, types: ["node"], ...rules };
  writeFileSync(join(place, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["every-entry.ts"] }));
  const tsc = [join(folder, "node_modules", program), "-p", "."];
  compilation = execute(process.execPath, tsc, { folder: place, env: compileCache }).then(() => place);
  compilations.set(place, compilation);
  return compilation;
}

const kinds = { module: "an ES module", commonjs: "CommonJS" };
for (const { name, program, modes } of compilers) {
  for (const mode of modes) {
    const options = `module ${mode.module}, moduleResolution ${mode.moduleResolution}`;
    test(`${name} accepts ${kinds[mode.type]} that uses each public entry: ${options}`, async () => {
      await compile(program, mode);
    });
  }
}

const nodes = await nodeVersions();
const pods = await startPodServers();
for (const { name, program } of nodes) {
  for (const mode of [nodeNext, node10]) {
    test(`${name} runs that program, compiled to ${kinds[mode.type]}`, async () => {
      const main = join(await compile("typescript-5/bin/tsc", mode), "every-entry.js");
      const got = await runProgram(program, folder, [main, ...everyEntryArgs(folder, pods)]);
      assert.deepEqual(got, everyEntryResult(pods));
    });
  }
}
