import { spawnSync } from "node:child_process";
import { globSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { WorkspacePackage } from "./manifest.ts";

/**
 * Compiles the exports of a package, and what they import of its own files, to CommonJS with declarations and source maps.
 *
 * @param outFolder the output has the paths of the sources here: `src/index.js`
 * @returns the files, relative to `outFolder`
 * @throws Error with the compiler's messages
 */
export function compile(root: string, { folder, manifest }: WorkspacePackage, outFolder: string): readonly string[] {
  mkdirSync(outFolder, { recursive: true });
  const config = join(outFolder, "tsconfig.json");
  const compilerOptions = {
    module: "commonjs",
    moduleResolution: "bundler",
    verbatimModuleSyntax: false,
    allowImportingTsExtensions: false,
    rewriteRelativeImportExtensions: true,
    composite: false,
    emitDeclarationOnly: false,
    sourceMap: true,
    inlineSources: true,
    rootDir: folder,
    outDir: outFolder,
    typeRoots: [join(root, "node_modules/@types")],
  };
  // Folders of testing/ start real servers and clients, for tests of this repository alone.
  const isPublished = (file: string) => !/^\.\/testing\/.*\//.test(file);
  const files = Object.values(manifest.exports)
    .filter(isPublished)
    .map((file) => join(folder, file));
  writeFileSync(config, JSON.stringify({ extends: join(root, "tsconfig.base.json"), compilerOptions, files }));
  const tsc = join(root, "node_modules/.bin/tsc");
  const { status, stdout, stderr } = spawnSync(tsc, ["-p", config], { cwd: folder, encoding: "utf8" });
  if (status !== 0) throw new Error(`${manifest.name} does not compile:\n${stdout}${stderr}`);
  return globSync("**/*.{js,d.ts}", { cwd: outFolder });
}
