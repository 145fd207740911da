import assert from "node:assert/strict";
import { test } from "node:test";
import { checkOptions, describeType, type OptionRules } from "./check-options.ts";

const rules: OptionRules = {
  service: "string",
  port: ["string", "number"],
  tags: "strings",
  warn: "function",
  credentials: { options: { user: "string", password: "string" } },
  check: { options: { t: "string" }, required: ["t"] },
  labels: { each: "string" },
  access: (value) => (value instanceof URL ? undefined : "must be a URL"),
};

for (const options of [
  { service: "s" },
  { service: "s", port: 80, tags: ["a"], warn: () => {}, credentials: {}, access: new URL("http://h") },
  { service: "s", labels: { zone: "z" } },
  { service: "s", port: "http", tags: undefined, credentials: undefined },
]) {
  test(`what is right is accepted: ${Object.keys(options)}`, () => checkOptions("create", options, rules, ["service"]));
}

for (const [options, message] of [
  [undefined, "the options must be an object, got nothing"],
  [null, "the options must be an object, got null"],
  ["s", "the options must be an object, got a string"],
  [{}, "service must be a string, got nothing"],
  [{ service: 1 }, "service must be a string, got a number"],
  [{ service: "s", port: true }, "port must be a string or a number, got a boolean"],
  [{ service: "s", tags: ["a", 1] }, "tags must be a list of strings, got a list"],
  [{ service: "s", warn: "x" }, "warn must be a function, got a string"],
  [
    { service: "s", wran: () => {} },
    "unknown option wran; known options: access, check, credentials, labels, port, service, tags, warn",
  ],
  [{ service: "s", credentials: "secret" }, "credentials must be an object, got a string"],
  [
    { service: "s", credentials: { pasword: "secret" } },
    "unknown option credentials.pasword; known options: password, user",
  ],
  [{ service: "s", check: {} }, "check.t must be a string, got nothing"],
  [{ service: "s", labels: "zone" }, "labels must be an object, got a string"],
  [{ service: "s", labels: { zone: "z", port: 80 } }, "labels.port must be a string, got a number"],
  [{ service: "s", labels: { zone: null } }, "labels.zone must be a string, got null"],
  [{ service: "s", access: Promise.resolve() }, "access must be a URL, got a promise"],
] as const) {
  test(`what is wrong is refused, and no value is repeated: ${message}`, () => {
    assert.throws(() => checkOptions("create", options, rules, ["service"]), {
      name: "TypeError",
      message: `create: ${message}`,
    });
  });
}

test("a function without options says so", () => {
  assert.throws(() => checkOptions("create", { a: 1 }, {}), { message: "create: unknown option a; there are none" });
});

test("types are described in words", () => {
  const values = [undefined, null, [], {}, 1, "a", true, () => {}, Symbol("s"), 1n];
  assert.deepEqual(values.map(describeType), [
    ...["nothing", "null", "a list", "an object", "a number", "a string", "a boolean", "a function"],
    ...["a symbol", "a bigint"],
  ]);
});
