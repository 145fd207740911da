/** What the commands of the documentation name: targets, variables, flags, programs and paths. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { root } from "../test-counts.ts";
import { listPages, parseBlocks } from "./blocks.ts";
import { CommandChecker } from "./check-commands.ts";
import { parseCommands } from "./commands.ts";

const checker = new CommandChecker(root);

async function check(page: string, text: string): Promise<string[]> {
  const files = new Set(parseBlocks(page, text).flatMap(({ file }) => file ?? []));
  const errors: string[] = [];
  for (const command of parseCommands(page, text)) errors.push(...(await checker.check(command, files)));
  return errors;
}

test("every command of the documentation names what exists", async () => {
  const pages = listPages(root).map((page) => [page, readFileSync(join(root, page), "utf8")] as const);
  const count = pages.flatMap(([page, text]) => parseCommands(page, text)).length;
  assert.ok(count > 400, `${count} commands were found`);
  const errors: string[] = [];
  for (const [page, text] of pages) errors.push(...(await check(page, text)));
  assert.deepEqual(errors, []);
});

test("what make's list of targets says that a target takes, it takes", async () => {
  const lines = readFileSync(join(root, "Makefile"), "utf8").split("\n");
  const errors: string[] = [];
  for (const [at, line] of lines.entries()) {
    const [, target = "", help = ""] = /^([a-z0-9-]+):.*## (.*)$/.exec(line) ?? [];
    const env = [...help.matchAll(/\b([A-Z][A-Z_]*)=(\S*?)[,;]?(?= |$)/g)].map(([, name = "", value = ""]) => ({
      name,
      value,
    }));
    const command = { page: "Makefile", line: at + 1, env, words: ["make", target] };
    if (env.length > 0) errors.push(...(await checker.check(command, new Set())));
  }
  assert.deepEqual(errors, []);
});

for (const [mistake, text, error] of [
  ["target", "```sh\nmake demo &&\n  make kube-deplyo\n```", "p.md:3: the Makefile has no target kube-deplyo"],
  ["target in a sentence", "Run\n`make\nkube-logz`.", "p.md:2: the Makefile has no target kube-logz"],
  ["variable of a target", "`make kube-logs TAIL=10`", "p.md:1: make kube-logs has no variable TAIL"],
  ["variable before a target", "`STRATEGY=etcd make demo`", "p.md:1: make demo has no variable STRATEGY"],
  ["flag in ARGS", "`make demo ARGS='--json --jsonl'`", "p.md:1: make demo has no flag --jsonl"],
  [
    ...["flag of an app", "```console\n$ npm start -s -w apps/server -- --grpc-prt=1 &\n#1: a\n```"],
    "p.md:2: apps/server/src/main.ts has no flag --grpc-prt",
  ],
  [
    ...["variable of an app", "```sh\n# a comment\nTARGETS=a npm start -w apps/client-grpc\n```"],
    "p.md:3: apps/client-grpc/src/main.ts has no variable TARGETS",
  ],
  ["app", "`npm start -w apps/clients -- --help`", "p.md:1: apps/clients is no workspace"],
  ["script", "`npm run lives -w apps/lab`", "p.md:1: apps/lab has no script lives"],
  [
    "path",
    "`node libs/resolver/bench/wachtes.bench.ts`",
    "p.md:1: there is no file libs/resolver/bench/wachtes.bench.ts",
  ],
  [
    "flag of a benchmark",
    "`node libs/xds/bench/change.bench.ts --client=1`",
    "libs/xds/bench/change.bench.ts has no flag --client",
  ],
  [
    "variable of a Deployment",
    "`kubectl set env deployment/server LATENZY-`",
    "p.md:1: server has no variable LATENZY",
  ],
  [
    "variable of a Deployment",
    "```sh\nkubectl set env deployment/server LATENZY=1s\n```",
    "p.md:2: server has no variable LATENZY",
  ],
  ["strategy", "`make kube-deploy STRATEGY=resolvr`", "p.md:1: STRATEGY does not accept resolvr"],
  ["scene", "`make demo STRATEGIES=clusterip,resolver SCENE=kil`", "p.md:1: SCENE does not accept kil"],
  ["story", "`STORIES=suite,lokaside`", "p.md:1: STORIES does not accept lokaside"],
  ["policy", "`make policies ARGS='--policies random,least'`", "p.md:1: --policies does not accept least"],
  ["image", "```sh\ndocker run grpc-lb/clients:0.1.0\n```", "p.md:2: there is no image grpc-lb/clients:0.1.0"],
  ["flag in a sentence", "Set `--polici random`.", "p.md:1: no program has a flag --polici"],
  ["variable in a sentence", "Set `STRATEGEES=all`.", "p.md:1: no program has a variable STRATEGEES"],
  ["command", "```sh\nmkae demo\n```", "p.md:2: unknown command mkae"],
] as const) {
  test(`a wrong ${mistake} is found, and has the line of its page`, async () => {
    const found = await check("p.md", text);
    assert.equal(found.length, 1, found.join("\n"));
    assert.ok(found[0]?.endsWith(error), `got "${found[0]}", want "${error}"`);
  });
}

test("comments, quotes, input and what a shell adds are no words of a command", () => {
  const script =
    "A=1 make a 'b c' \\\n  d=\"$x\" 2>/dev/null # make e\nfor n in 1 2; do kind f | sort; done\nkubectl apply -f - <<'END'\nkind: g\nEND\nmake h";
  const commands = parseCommands("p.md", `\`\`\`sh\n${script}\n\`\`\`\n`);
  assert.deepEqual(
    commands.map(({ line, env, words }) => [line, env.map(({ name }) => name), words.join("|")]),
    [
      [2, ["A"], "make|a|b c|d=$x"],
      [4, [], "for|n|in|1|2"],
      [4, [], "kind|f"],
      [4, [], "sort"],
      [5, [], "kubectl|apply|-f|-"],
      [8, [], "make|h"],
    ],
  );
});
