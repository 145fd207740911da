/** Optional packages that are not installed: who needs one learns which, and the command that installs it. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { execute } from "./execute.ts";
import { packageManagers } from "./package-managers.ts";
import type { PackageName } from "./packages.ts";
import { createProject } from "./project.ts";
import { runProgram } from "./run-program.ts";

interface Case {
  readonly missing: string;
  readonly packages: readonly PackageName[];
  readonly others: readonly string[];
  /** Entries and targets, each with the message that its error contains. */
  readonly uses: (folder: string) => Readonly<Record<string, string>>;
}

const grpc = (entry: string) =>
  `@grpc-lb/discovery/${entry} needs the package @grpc/grpc-js: npm install "@grpc/grpc-js@^1.14.0"`;
/** What the programs write for an entry that needs none of the packages. */
const loads = "no error";
const cases: readonly Case[] = [
  {
    missing: "@grpc/grpc-js",
    packages: ["discovery"],
    others: [],
    uses: () => ({
      "@grpc-lb/discovery/etcd": grpc("etcd"),
      "etcd://127.0.0.1:1/server": grpc("etcd"),
      "@grpc-lb/discovery/xds": grpc("xds"),
      "xds://127.0.0.1:1/server": grpc("xds"),
    }),
  },
  {
    missing: "yaml",
    packages: ["discovery"],
    others: [],
    uses: (folder) => ({
      [`file://${folder}/endpoints.yaml`]: '@grpc-lb/discovery/file needs the package yaml: npm install "yaml@^2.3.0"',
    }),
  },
  {
    missing: "undici",
    packages: ["discovery", "resolver"],
    others: ["@grpc/grpc-js"],
    uses: () => ({
      "@grpc-lb/resolver/undici": '@grpc-lb/resolver/undici needs the package undici: npm install "undici@^8.0.0"',
    }),
  },
  {
    missing: "@opentelemetry/api",
    packages: ["discovery", "interceptors"],
    others: ["@grpc/grpc-js"],
    uses: () => ({
      "@grpc-lb/interceptors/tracing":
        '@grpc-lb/interceptors/tracing needs the package @opentelemetry/api: npm install "@opentelemetry/api@^1.9.0"',
      "@grpc-lb/interceptors/jwt": '@grpc-lb/interceptors/jwt needs the package jose: npm install "jose@^6.0.0"',
      "@grpc-lb/interceptors/oauth2":
        '@grpc-lb/interceptors/oauth2 needs the package openid-client: npm install "openid-client@^6.0.0"',
      "@grpc-lb/interceptors": loads,
      "@grpc-lb/interceptors/metrics": loads,
    }),
  },
];

const { yarn, yarnProgram } = await packageManagers();
const projects = [];
for (const { packages, others, ...rest } of cases) {
  const programs = ["missing.mjs", "missing.cjs", "missing.test.js"];
  const name = `without-${packages.length > 1 ? rest.missing.replaceAll(/\W+/g, "") : "grpc-js"}`;
  const folder = await createProject({ name, packages, others: [...others, "jest"], programs });
  const installer = yarn;
  const plugAndPlay = await createProject({ name: `${name}-pnp`, packages, others, programs, installer });
  for (const place of [folder, plugAndPlay]) writeFileSync(join(place, "endpoints.yaml"), '- address: "10.0.0.3:80"\n');
  projects.push({ ...rest, folder, plugAndPlay });
}

/** Each message must contain what is wanted of it. */
function assertMessages(got: unknown, wanted: Readonly<Record<string, string>>): void {
  const messages = got as readonly string[];
  assert.equal(messages.length, Object.keys(wanted).length);
  for (const [index, [use, text]] of Object.entries(wanted).entries()) {
    const message = messages[index] ?? "";
    assert.ok(message.includes(text), `${use}: got ${message}\nwant ${text}`);
  }
}

for (const { missing, uses, folder, plugAndPlay } of projects) {
  const wanted = uses(folder);
  for (const [program, kind] of [
    ["missing.mjs", "an ES module"],
    ["missing.cjs", "CommonJS"],
  ] as const) {
    test(`without ${missing}, ${kind} gets an error with the command that installs it`, async () => {
      assertMessages(await runProgram(process.execPath, folder, [program, ...Object.keys(wanted)]), wanted);
    });

    test(`without ${missing}, ${kind} in Yarn's Plug'n'Play gets an error with the command that installs it`, async () => {
      const wanted = uses(plugAndPlay);
      const args = ["node", program, ...Object.keys(wanted)];
      const { stdout } = await execute(yarnProgram, args, { folder: plugAndPlay });
      assertMessages(JSON.parse(stdout), wanted);
    });
  }

  test(`without ${missing}, jest shows an error with the command that installs it`, async () => {
    const failing = Object.entries(wanted).filter(([, message]) => message !== loads);
    const env = {
      USES: JSON.stringify(failing.map(([use]) => use)),
      MESSAGES: JSON.stringify(failing.map(([, message]) => message)),
      CI: "true",
    };
    await execute(process.execPath, ["node_modules/jest/bin/jest.js"], { folder, env });
  });
}
