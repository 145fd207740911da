import assert from "node:assert/strict";
import { join } from "node:path";
import { execute } from "./execute.ts";

export type BundleFormat = "cjs" | "esm";

/** grpc-js is CommonJS that requires modules of Node, which a bundle of ES modules cannot without this. */
const banner = 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);';

/** Bundles a program of a project that has esbuild, which must have nothing to warn of. */
export async function bundle(folder: string, program: string, format: BundleFormat, outFile: string): Promise<void> {
  const flags = ["--bundle", "--platform=node", `--format=${format}`, "--log-level=warning", `--outfile=${outFile}`];
  if (format === "esm") flags.push(`--banner:js=${banner}`);
  const { stderr } = await execute(join(folder, "node_modules/.bin/esbuild"), [program, ...flags], { folder });
  assert.equal(stderr, "");
}
