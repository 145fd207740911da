/** The code and the links of the documentation. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { root } from "../test-counts.ts";
import { listPages, parseBlocks, readBlocks } from "./blocks.ts";
import { checkTypes, isCode } from "./check-types.ts";
import { listPrograms, runProgram, writeFiles } from "./programs.ts";

const pages = listPages(root);
const blocksOf = new Map(pages.map((page) => [page, readBlocks(root, page)]));
const folder = join(root, ".ci/out/docs");
const tutorial = "docs/tutorial.md";

const wrong = 'docs/wrong.md\n\n```ts\nconst port: number = "grpc";\n```\n\n```js\nMath.sum(1);\n```\n';
const blocks = [...blocksOf.values()].flat().filter(isCode);
const errors = checkTypes(root, join(folder, "types"), [...blocks, ...parseBlocks("docs/wrong.md", wrong)]);

test("every block of TypeScript and JavaScript type-checks", async () => {
  assert.ok(blocks.length > 30, `${blocks.length} blocks were found`);
  const found = (await errors).filter((error) => !error.startsWith("docs/wrong.md"));
  assert.deepEqual(found, []);
});

test("an error in a block is found, and has the line of its page", async () => {
  const found = (await errors).filter((error) => error.startsWith("docs/wrong.md"));
  assert.match(found[0] ?? "", /^docs\/wrong\.md:4: error TS2322/);
  assert.match(found[1] ?? "", /^docs\/wrong\.md:8: error TS2\d+/);
});

test("a block is a whole file if its first line or its fence names one", () => {
  const page = "```js\n// a.mjs\n1;\n```\n\n```json b.json\n[]\n```\n\n- x\n\n  ```ts\n  // not a name\n  ```\n";
  assert.deepEqual(
    parseBlocks("p.md", page).map(({ file, line, text }) => [file, line, text]),
    [
      ["a.mjs", 2, "// a.mjs\n1;"],
      ["b.json", 7, "[]"],
      [undefined, 13, "// not a name"],
    ],
  );
});

test("every block says what it is, so that its code or its commands are checked", () => {
  const unnamed = [...blocksOf.values()].flat().filter(({ language }) => language === "");
  assert.deepEqual(
    unnamed.map(({ page, line }) => `${page}:${line}`),
    [],
  );
});

test("whole programs run, and print what their pages say", { concurrency: true }, async (t) => {
  const proto = (blocksOf.get(tutorial) ?? []).filter(({ file }) => file === "hello.proto");
  // The program of the tutorial has a test of its own, and the packages run those of their READMEs.
  const others = pages.filter((page) => page.startsWith("docs/") && page !== tutorial);
  const runs = others.flatMap((page) => {
    const blocks = blocksOf.get(page) ?? [];
    const place = join(folder, "programs", page.replaceAll("/", "-"));
    const programs = listPrograms(blocks);
    if (programs.length > 0) writeFiles(place, [...proto, ...blocks]);
    return programs.map(({ block: { file = "" }, output }) =>
      t.test(`${file} of ${page}`, async () => {
        const { code, stdout, stderr } = await runProgram(place, [file]).ended;
        assert.equal(code, 0, stdout + stderr);
        if (output !== undefined) assert.equal(stdout, output);
      }),
    );
  });
  assert.ok(runs.length >= 3, `${runs.length} programs were found`);
  await Promise.all(runs);
});

test("links between pages lead to files and headings", () => {
  const broken: string[] = [];
  for (const page of pages) {
    const text = readFileSync(join(root, page), "utf8");
    for (const [, link = ""] of text.replaceAll(/```[\s\S]*?```/g, "").matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https?:/.test(link)) continue;
      const [path = "", anchor] = link.split("#");
      const file = path === "" ? join(root, page) : join(root, dirname(page), path);
      if (!existsSync(file)) broken.push(`${page}: ${link}: there is no such file`);
      else if (anchor !== undefined && !listAnchors(file).includes(anchor))
        broken.push(`${page}: ${link}: there is no such heading`);
    }
  }
  assert.deepEqual(broken, []);
});

/** The anchors that GitHub gives the headings of a page. */
function listAnchors(file: string): string[] {
  const headings = readFileSync(file, "utf8").matchAll(/^#+ (.*)$/gm);
  return [...headings].map(([, title = ""]) =>
    title
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-"),
  );
}
