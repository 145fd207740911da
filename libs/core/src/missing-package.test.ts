import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";
import { describeMissingPackage } from "./missing-package.ts";

const ranges = { yaml: "^2.3.0", "@kubernetes/client-node": "^2.0.0" };
const user = "@grpc-lb/discovery/file";
const wantYaml = `${user} needs the package yaml: npm install "yaml@^2.3.0"`;
const wantClientNode = `${user} needs the package @kubernetes/client-node: npm install "@kubernetes/client-node@^2.0.0"`;

const failure = (code: string, message: string) => Object.assign(new Error(message), { code });

for (const [what, error, want] of [
  [
    "an ES module of Node",
    failure("ERR_MODULE_NOT_FOUND", "Cannot find package 'yaml' imported from /app/x.js"),
    wantYaml,
  ],
  ["CommonJS", failure("MODULE_NOT_FOUND", "Cannot find module 'yaml'\nRequire stack:\n- /app/x.js"), wantYaml],
  [
    "CommonJS, a file of the package",
    failure("MODULE_NOT_FOUND", "Cannot find module '@kubernetes/client-node/dist/oidc_auth.js'\nRequire stack:"),
    wantClientNode,
  ],
  ["jest", failure("MODULE_NOT_FOUND", "Cannot find module 'yaml' from 'node_modules/x.js'"), wantYaml],
  [
    "Yarn's Plug'n'Play, a peer",
    failure(
      "MODULE_NOT_FOUND",
      "@grpc-lb/discovery tried to access yaml (a peer dependency) but it isn't provided by its ancestors; this makes " +
        "the require call ambiguous and unsound.",
    ),
    wantYaml,
  ],
  [
    "Yarn's Plug'n'Play, a scoped package",
    failure(
      "MODULE_NOT_FOUND",
      "@grpc-lb/discovery tried to access @kubernetes/client-node, but it isn't declared in its dependencies",
    ),
    wantClientNode,
  ],
] as const) {
  test(`the missing package is named with the command that installs it: ${what}`, () => {
    const described = describeMissingPackage(error, user, ranges) as Error;
    assert.equal(described.message, want);
    assert.equal(described.cause, error);
  });
}

for (const [what, error] of [
  ["another package", failure("MODULE_NOT_FOUND", "Cannot find module 'yaml-extra'")],
  [
    "a file that an installed package lacks",
    failure("ERR_MODULE_NOT_FOUND", "Cannot find module '/app/node_modules/yaml/x.js' imported from /app/y.js"),
  ],
  ["an error of the package itself", new Error("Cannot find module 'yaml'")],
  ["no error", undefined],
  ["a text", "Cannot find module 'yaml'"],
] as const) {
  test(`what is about something else stays as it is: ${what}`, () => {
    assert.equal(describeMissingPackage(error, user, ranges), error);
  });
}

test("the messages of this Node are understood, for import() and for require()", async () => {
  const name = "a-package-that-is-not-installed";
  const failures = [
    await import(name).catch((error: unknown) => error),
    (() => {
      try {
        return createRequire(import.meta.url)(name);
      } catch (error) {
        return error;
      }
    })(),
  ];
  for (const error of failures) {
    assert.equal(
      (describeMissingPackage(error, user, { [name]: "^1.0.0" }) as Error).message,
      `${user} needs the package ${name}: npm install "${name}@^1.0.0"`,
    );
  }
});
