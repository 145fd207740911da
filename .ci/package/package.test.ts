/** What the build of a published package decides, on the packages of this workspace. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { entryFiles } from "./entry.ts";
import { publishedManifest, readPackage } from "./manifest.ts";
import { Modules } from "./modules.ts";
import { absoluteLinks } from "./readme.ts";

const root = join(import.meta.dirname, "../..");
const resolver = readPackage(join(root, "libs/resolver"));

/** Rewrites a line of a module of the resolver. @returns the line, the modules and the packages that it imports */
function rewrite(text: string, path = "src/undici/balanced-dispatcher") {
  const modules = new Modules(root, resolver);
  const places: string[] = [];
  const packages: string[] = [];
  const line = modules.rewrite({ owner: resolver, path }, text, {
    onModule: (module) => places.push(modules.place(module)),
    onPackage: (name) => packages.push(name),
  });
  return { line, places, packages };
}

test("an import of a private package becomes a relative one, and its module is copied", () => {
  assert.deepEqual(rewrite('const core_1 = require("@grpc-lb/core");'), {
    line: 'const core_1 = require("../internal/core/index.js");',
    places: ["lib/internal/core/index"],
    packages: [],
  });
  assert.deepEqual(rewrite('import type { Clock } from "@grpc-lb/core/http";').places, [
    "lib/internal/core/http/index",
  ]);
});

test("an import of a published package stays", () => {
  const line = 'const discovery_1 = require("@grpc-lb/discovery");';
  assert.deepEqual(rewrite(line), { line, places: [], packages: ["@grpc-lb/discovery"] });
});

test("an import of a declared package stays, and is reported", () => {
  const line = 'const undici_1 = require("undici");';
  assert.deepEqual(rewrite(line), { line, places: [], packages: ["undici"] });
});

test("a lazy import of an optional package is in a try, so that a bundler accepts that it is missing", () => {
  const lazy = (load: string) => `await Promise.resolve().then(() => __importStar(${load}));`;
  const { line, packages } = rewrite(lazy('require("undici")'));
  assert.equal(line, lazy('(() => { try { return require("undici"); } catch (error) { throw error; } })()'));
  assert.deepEqual(packages, ["undici"]);
  const needed = lazy('require("@grpc/grpc-js")');
  assert.equal(rewrite(needed).line, needed);
});

test("a relative import names the JavaScript file, also in declarations", () => {
  const { line, places } = rewrite('export { type Warn } from "../warn.ts";');
  assert.equal(line, 'export { type Warn } from "../warn.js";');
  assert.deepEqual(places, ["lib/warn"]);
});

test("an undeclared package is an error that names it and the importer", () => {
  assert.throws(
    () => rewrite('require("left-pad");'),
    /does not declare left-pad, which src\/undici\/balanced-dispatcher imports/,
  );
});

test("comments and methods whose name ends in require are left alone", () => {
  for (const line of [' * import { x } from "left-pad";', 'this.#require("client-id");'])
    assert.equal(rewrite(line).line, line);
});

test("the published package.json has JavaScript entries for both module systems, and nothing of development", () => {
  const published = publishedManifest(resolver) as Record<string, Record<string, unknown>>;
  assert.deepEqual(published.exports?.["./undici"], {
    import: { types: "./undici.d.mts", default: "./undici.mjs" },
    require: { types: "./undici.d.ts", default: "./undici.js" },
  });
  assert.deepEqual(published.dependencies, { "@grpc-lb/discovery": `^${resolver.manifest.version}` });
  for (const field of ["devDependencies", "nx", "scripts", "publicExports"])
    assert.equal(field in published, false, field);
});

test("exports that are not public are not published", () => {
  const published = publishedManifest(readPackage(join(root, "libs/discovery"))) as { exports: object };
  assert.equal("./testing/etcd" in published.exports, false);
  assert.equal("./testing" in published.exports, true);
});

test("an entry with optional peers says which one is missing; one without is one line", () => {
  const entry = { name: "undici", module: "lib/undici/index", exported: ["A", "default"], specifier: "@x/y/undici" };
  const files = entryFiles({ ...entry, peers: { undici: "^8.0.0" } });
  assert.match(files["undici.js"] ?? "", /describeMissingPackage\(error, "@x\/y\/undici", \{"undici":"\^8\.0\.0"\}\)/);
  assert.equal(files["undici.mjs"], 'import entry from "./undici.js";\n\nexport const { A } = entry;\n');
  const plain = entryFiles({ ...entry, peers: {} });
  assert.equal(plain["undici.js"], '"use strict";\nmodule.exports = require("./lib/undici/index.js");\n');
});

test("relative links of a README become absolute ones; others and anchors stay", () => {
  const text = "[a](../policies/README.md) [b](#c) [d](https://grpc.io) [e](src/index.ts)";
  const site = "https://github.com/grpc-lb/grpc-lb/blob/main/libs";
  assert.equal(
    absoluteLinks(text, "libs/resolver"),
    `[a](${site}/policies/README.md) [b](#c) [d](https://grpc.io) [e](${site}/resolver/src/index.ts)`,
  );
});
