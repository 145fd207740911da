import assert from "node:assert/strict";
import { join } from "node:path";
import { readBlocks } from "../docs/blocks.ts";
import { execute } from "./execute.ts";
import { root } from "./places.ts";

export type BundleFormat = "cjs" | "esm";

/** Bundles a program of a project that has esbuild, by the command of docs/how-to/bundling.md, which must have nothing to warn of. */
export async function bundle(folder: string, program: string, format: BundleFormat, outFile: string): Promise<void> {
  const flags = [...readFlags(format), `--outfile=${outFile}`, "--log-level=warning"];
  const { stderr } = await execute(join(folder, "node_modules/.bin/esbuild"), [program, ...flags], { folder });
  assert.equal(stderr, "");
}

/** The flags that the page shows for a format. */
function readFlags(format: BundleFormat): string[] {
  const blocks = readBlocks(root, "docs/how-to/bundling.md").map(({ text }) => text.replaceAll("\\\n", ""));
  const command = blocks.find((text) => text.includes(`--format=${format}`)) ?? "";
  // The quotes of the shell are for a value with spaces.
  const words = [...command.matchAll(/(?:'[^']*'|\S)+/g)].map(([word]) => word.replaceAll("'", ""));
  assert.deepEqual(words.slice(0, 3), ["npx", "esbuild", "main.ts"], `the command for ${format}: ${command}`);
  return words.slice(3).filter((word) => !word.startsWith("--outfile="));
}
