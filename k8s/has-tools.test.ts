/** The programs behind the targets that need tools, on a machine that has none. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { root } from "./image/tag.ts";

const noTools = mkdtempSync(join(tmpdir(), "no-tools-"));
after(() => rmSync(noTools, { recursive: true }));

interface Ended {
  readonly code: number | string | null | undefined;
  readonly stderr: string;
}

function run(words: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ended> {
  const options = { cwd: root, env: { PATH: noTools, ...env }, timeout: 60_000 };
  return new Promise((resolve) => {
    execFile(process.execPath, words, options, (error, _, stderr) => resolve({ code: error?.code ?? 0, stderr }));
  });
}

const makefile = readFileSync(join(root, "Makefile"), "utf8");
const needs = /^override NEEDS := (.*)$/m.exec(makefile)?.[1]?.split(" ") ?? [];
/** The program of each target, with its arguments. */
const programs = new Map(
  needs.flatMap((target) => {
    const recipe = new RegExp(`^${target}:.*\\n\\t@.*\\$\\(NODE\\) (k8s/.*)$`, "m").exec(makefile)?.[1];
    return recipe === undefined ? [] : [[target, recipe.replace(" $$ARGS", "").split(" ")] as const];
  }),
);

test("the program of every target that needs tools names those that are missing", { concurrency: 2 }, async (t) => {
  assert.ok(programs.size >= 14, `${[...programs.keys()]}`);
  programs.delete("e2e-long"); // its program is e2e's
  const tests = [...programs].map(([target, words]) =>
    t.test(target, async () => {
      const { code, stderr } = await run(words);
      assert.equal(code, 1, stderr);
      assert.match(stderr, new RegExp(`^(${target} needs \\S+: .+\\n)+$`));
    }),
  );
  await Promise.all(tests);
});

const long = "n".repeat(60);
for (const [target, env, error] of [
  ["kube-deploy", { STRATEGY: "clusterip", POLICY: "least_request" }, /POLICY/],
  ["kube-deploy", { STRATEGIES: "resolver" }, /STRATEGIES is not a variable of this program; set STRATEGY/],
  ["kube-compare", { STRATEGIES: "clusterip,resolvr" }, /STRATEGIES must be all, or names of .*, got "resolvr"/],
  ["kube-compare", { NAMESPACE: long, STRATEGIES: "resolver" }, /NAMESPACE\) can have at most 54 characters/],
  ["kube-compare", { REPORT: "/nowhere/report.md" }, /REPORT\): cannot write \/nowhere\/report\.md/],
  ["kube-live", { PORT: "http" }, /PORT must be /],
  ["kube-logs", { TAIL_LINES: "ten" }, /TAIL_LINES must be /],
  ["docker-build", { IMAGE_PREFIX: "https://registry" }, /IMAGE_PREFIX must be /],
  ["e2e", { STORIES: "sweet" }, /STORIES must be a list of /],
] as const) {
  test(`${target} refuses ${JSON.stringify(env)} before it looks for tools`, async () => {
    const { code, stderr } = await run(programs.get(target) ?? [], env);
    assert.equal(code, 2, stderr);
    assert.match(stderr, error);
    assert.equal(stderr.split("\n").length, 2, stderr);
  });
}
