/** The code blocks of the documentation. */
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** A block of a page between ``` and ```. */
export interface Block {
  /** Relative to the repository: `docs/tutorial.md`. */
  readonly page: string;
  /** The line of the page on which its text begins, from 1. */
  readonly line: number;
  /** `ts`, `js`, `json`; empty without one. */
  readonly language: string;
  /** Where the block is a whole file, its name: from a comment in the first line, `// client.mjs`, or after the language. */
  readonly file: string | undefined;
  /** The words after the language that are no file name: `background`. */
  readonly words: readonly string[];
  readonly text: string;
}

const fileName = /^[\w.-]+\.\w+$/;

/** The pages whose code, commands and links are checked: all that a person wrote. */
export function listPages(root: string): string[] {
  const pages = globSync(["*.md", "{apps,docs,examples,k8s,libs,protos}/**/*.md"], {
    cwd: root,
    exclude: ["docs/reference/**", "**/node_modules/**", "**/dist/**", "**/out/**", "**/CHANGELOG.md"],
  });
  return pages.sort();
}

export function readBlocks(root: string, page: string): Block[] {
  return parseBlocks(page, readFileSync(join(root, page), "utf8"));
}

/** @throws Error for a block without an end */
export function parseBlocks(page: string, text: string): Block[] {
  const lines = text.split("\n");
  const blocks: Block[] = [];
  for (let at = 0; at < lines.length; at += 1) {
    const [, indent = "", language = "", rest = ""] = /^( *)```(\w*) *(.*)/.exec(lines[at] ?? "") ?? [];
    if (!/^ *```/.test(lines[at] ?? "")) continue;
    const end = lines.indexOf(`${indent}\`\`\``, at + 1);
    if (end < 0) throw new Error(`${page}:${at + 1}: the block has no end`);
    const body = lines.slice(at + 1, end);
    const given = rest.split(" ").filter((word) => word !== "");
    const file =
      given.find((word) => fileName.test(word)) ?? /^(?:\/\/|#) ([\w.-]+\.\w+|Dockerfile)$/.exec(body[0] ?? "")?.[1];
    const words = given.filter((word) => word !== file);
    const content = body.map((line) => line.slice(indent.length)).join("\n");
    blocks.push({ page, line: at + 2, language, file, words, text: content });
    at = end;
  }
  return blocks;
}
