/**
 * The checks that enforce the layers. Each case adds an offence to a copy of the sources, and the check must report it there and
 * nowhere else.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, globSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { after, before, test } from "node:test";

const root = `${import.meta.dirname}/..`;
const copied = ["apps", "libs", "protos", "k8s", "biome.json", "tsconfig.base.json", "tsconfig.json", "package.json"];
let copy = "";

before(() => {
  copy = mkdtempSync(`${tmpdir()}/grpc-lb-layers-`);
  // What a build and the other tests write may be gone while it is copied.
  const isSource = (path: string) => !/\/(node_modules|dist|out|\.nx)(\/|$)/.test(path.slice(root.length));
  for (const name of copied) cpSync(`${root}/${name}`, `${copy}/${name}`, { recursive: true, filter: isSource });
  cpSync(`${root}/.gitignore`, `${copy}/.gitignore`);
  symlinkSync(`${root}/node_modules`, `${copy}/node_modules`);
  spawnSync("git", ["init", "-q"], { cwd: copy });
});

after(() => rmSync(copy, { recursive: true, force: true }));

function run(command: string, ...args: string[]) {
  const { status, stdout, stderr } = spawnSync(`${root}/node_modules/.bin/${command}`, args, {
    cwd: copy,
    encoding: "utf8",
  });
  return { status, output: `${stdout}${stderr}` };
}

/** One line for each diagnostic of these files, with its file and message. */
const lint = (files: readonly string[]) => run("biome", "lint", "--reporter=github", "--max-diagnostics=200", ...files);

/** Runs `check` while `files` are in the copy. */
function withFiles<T>(files: Readonly<Record<string, string>>, check: () => T): T {
  for (const [path, text] of Object.entries(files)) writeFileSync(`${copy}/${path}`, text);
  try {
    return check();
  } finally {
    for (const path of Object.keys(files)) rmSync(`${copy}/${path}`);
  }
}

/** Its name, its files, and the diagnostic for the first of them. */
type Offence = readonly [what: string, files: Readonly<Record<string, string>>, diagnostic: RegExp];

const offences: readonly Offence[] = [
  [
    "an import from a higher layer: core imports an app",
    { "libs/core/src/up.ts": 'export * from "@grpc-lb/server/src/http.ts";\n' },
    /core is the lowest/,
  ],
  ["core that knows gRPC", { "libs/core/src/grpc.ts": 'export * from "@grpc/grpc-js";\n' }, /does not know gRPC/],
  ["protos that do not stand alone", { "protos/up.ts": 'export * from "@grpc-lb/core";\n' }, /protos stands alone/],
  [
    "policies that import the resolver",
    { "libs/policies/src/across.ts": 'export * from "@grpc-lb/resolver";\n' },
    /policies stand on discovery and core/,
  ],
  [
    "a resolver that imports policies",
    { "libs/resolver/src/across.ts": 'export * from "@grpc-lb/policies";\n' },
    /resolver stands on discovery and core/,
  ],
  [
    "interceptors that import policies",
    { "libs/interceptors/src/across.ts": 'export * from "@grpc-lb/policies";\n' },
    /interceptors stand on core/,
  ],
  [
    "an app that imports an app",
    { "apps/lab/src/across.ts": 'export * from "@grpc-lb/server/src/http.ts";\n' },
    /apps import libraries, never apps/,
  ],
  ...["core", "verdict", "discovery", "resolver", "policies", "interceptors"].map(
    (library): Offence => [
      `${library}, a library, that imports program`,
      { [`libs/${library}/src/as-a-program.ts`]: 'export * from "@grpc-lb/program";\n' },
      /Layers: \w+.* (is the lowest|stands? on)/,
    ],
  ),
  ...[
    ["core imports a source", "core/up.ts", "../etcd/source.ts"],
    ["core imports what lists the sources", "core/up-to-target.ts", "../target.ts"],
    ["a folder of core imports a source", "core/target/up.ts", "../../etcd/target.ts"],
    ["a source imports another", "dns/across.ts", "../static/source.ts"],
    ["etcd imports another source", "etcd/across.ts", "../consul/source.ts"],
    ["a source imports what lists the sources", "file/up.ts", "../create-source.ts"],
  ].map(
    ([what, file, from]): Offence => [
      `in discovery, ${what}`,
      { [`libs/discovery/src/${file}`]: `export * from "${from}";\n` },
      /a source imports its own folder and core; core imports no source/,
    ],
  ),
  [
    "in discovery, core imports a source by its package name",
    { "libs/discovery/src/core/by-name.ts": 'export * from "@grpc-lb/discovery/etcd";\n' },
    /discovery stands on core, protos and xds/,
  ],
  [
    "a dependency that the package does not declare",
    { "apps/client-http/src/undeclared.ts": 'export * from "fastify";\n' },
    /noUndeclaredDependencies/,
  ],
  [
    "a cycle",
    {
      "libs/core/src/one.ts": 'import { two } from "./two.ts";\nexport const one = () => two;\n',
      "libs/core/src/two.ts": 'import { one } from "./one.ts";\nexport const two = () => one;\n',
    },
    /noImportCycles/,
  ],
];

test("each offence fails the lint with its own diagnostic", async (t) => {
  // All in one run, because a run takes seconds; in separate files, so that each has its own diagnostics.
  const planted = offences.flatMap(([, files]) => Object.keys(files));
  // `make lint` reads every source; here those that import the most show that the rules refuse no right import.
  const sources = globSync("{libs/*/src/index,apps/*/src/main,apps/lab/src/*/main}.ts", { cwd: copy });
  assert.ok(sources.length >= 10, `${sources}`);
  const { status, output } = withFiles(Object.assign({}, ...offences.map(([, files]) => files)), () =>
    lint([...planted, ...sources]),
  );
  assert.notEqual(status, 0, "the offences passed");
  await t.test("the sources without the offences pass", () => {
    const lines = output.split("\n").filter((line) => /^::(error|warning)/.test(line));
    assert.ok(lines.length >= offences.length, output);
    assert.deepEqual(
      lines.filter(
        (line) => !planted.some((file) => line.includes(`/${file},line=`) || line.includes(`file=${file},`)),
      ),
      [],
    );
  });
  for (const [what, files, diagnostic] of offences) {
    await t.test(what, () => {
      const [file = ""] = Object.keys(files);
      const own = output.split("\n").filter((line) => line.includes(`/${file},line=`));
      assert.match(own.join("\n"), diagnostic);
    });
  }
});

test("an import by path into another project fails the type check", () => {
  const files = { "apps/client-http/src/across.ts": 'export * from "../../server/src/readiness.ts";\n' };
  const { status, output } = withFiles(files, () => run("tsc", "-p", "apps/client-http", "--noEmit"));
  assert.notEqual(status, 0, "the offence passed");
  assert.match(output, /across\.ts.*(TS6059|TS6307)/);
});

/** The files that may import `@grpc-lb/…/testing`. The lab may also import discovery's, which has the fake servers. */
const mayImportTesting = /\.(test|probe|e2e|bench)\.ts$|\/(testing|e2e|bench)\//;

/** The files of `folder` that import a `testing` entry point without being allowed to. */
function importersOfTesting(folder: string): string[] {
  const files = globSync("{apps,libs,protos,k8s}/**/*.ts", {
    cwd: folder,
    exclude: (path) => /(^|\/)(node_modules|dist)(\/|$)/.test(path),
  });
  return files.filter((path) => {
    const imported = [
      ...readFileSync(`${folder}/${path}`, "utf8").matchAll(/^(?!\s*\*).*"(@grpc-lb\/[\w-]+\/testing)"/gm),
    ];
    const isLab = path.startsWith("apps/lab/");
    const forbidden = imported.filter(([, from]) => !(isLab && from === "@grpc-lb/discovery/testing"));
    return forbidden.length > 0 && !mayImportTesting.test(path);
  });
}

test("only tests, testing folders, end-to-end tests and benchmarks import a testing entry point", () => {
  assert.deepEqual(importersOfTesting(copy), []);
  const planted = {
    "apps/server/src/planted.ts": 'export * from "@grpc-lb/core/testing";\n',
    "apps/client-grpc/src/planted.ts": 'export const late = () => import("@grpc-lb/discovery/testing");\n',
    "apps/lab/src/planted.ts": 'export * from "@grpc-lb/discovery/testing";\n',
    "apps/server/src/planted.test.ts": 'export * from "@grpc-lb/core/testing";\n',
  };
  const found = withFiles(planted, () => importersOfTesting(copy));
  assert.deepEqual(found.sort(), ["apps/client-grpc/src/planted.ts", "apps/server/src/planted.ts"]);
});
