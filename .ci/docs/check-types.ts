import { execFile } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import type { Block } from "./blocks.ts";

const languages: Readonly<Record<string, string>> = { ts: ".ts", typescript: ".ts", js: ".mjs", javascript: ".mjs" };

/** Whether a block is checked. */
export const isCode = (block: Block): boolean => languages[block.language] !== undefined;

/**
 * Type-checks blocks against the sources of this repository. TypeScript is checked as strictly as the sources; in JavaScript,
 * parameters need no types.
 *
 * @param folder inside the repository, so that imports resolve; it is emptied
 * @returns the errors, each with the page and its line
 */
export async function checkTypes(root: string, folder: string, blocks: readonly Block[]): Promise<string[]> {
  rmSync(folder, { recursive: true, force: true });
  const [scripts, sources] = [".mjs", ".ts"].map((extension) =>
    blocks.filter(({ language }) => languages[language] === extension),
  );
  const errors = [check(root, join(folder, "ts"), sources ?? []), check(root, join(folder, "js"), scripts ?? [])];
  return (await Promise.all(errors)).flat();
}

async function check(root: string, folder: string, blocks: readonly Block[]): Promise<string[]> {
  mkdirSync(folder, { recursive: true });
  const pages = new Map<string, string>();
  for (const { page, line, language, file, text } of blocks) {
    const extension = file?.endsWith(".cjs") ? ".cjs" : (languages[language] ?? "");
    const name = `${page.replaceAll("/", "-")}-${line}${extension}`;
    pages.set(name, page);
    writeFileSync(join(folder, name), "\n".repeat(line - 1) + text); // lines are those of the page
  }
  const isScript = basename(folder) === "js";
  const compilerOptions = {
    composite: false,
    declaration: false,
    emitDeclarationOnly: false,
    noEmit: true,
    moduleDetection: "force",
    noUnusedLocals: false,
    noUnusedParameters: false,
    ...(isScript && { allowJs: true, checkJs: true, noImplicitAny: false }),
  };
  const files = [...pages.keys(), join(root, ".ci/docs/readers-names.d.ts")];
  const config = { extends: join(root, "tsconfig.base.json"), compilerOptions, files };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(config));
  const stdout = await runCompiler(join(root, "node_modules/.bin/tsc"), folder);
  // Errors in the sources are for `make lint`.
  return stdout.split("\n").flatMap((text) => {
    const [, name = "", line, rest] = /^([^(]+)\((\d+),\d+\): (.*)/.exec(text) ?? [];
    const page = pages.get(name);
    if (page !== undefined) return [`${page}:${line}: ${rest}`];
    return /^error/.test(text) ? [text] : [];
  });
}

function runCompiler(tsc: string, folder: string): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(tsc, ["-p", ".", "--pretty", "false"], { cwd: folder }, (error, stdout, stderr) => {
      if (error && stdout === "") reject(new Error(`tsc: ${error.message}${stderr}`));
      else resolve(stdout);
    });
  });
}
