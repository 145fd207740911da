import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { describeCopies, recordCopy } from "./package-copies.ts";

const here = "/app/node_modules/@grpc/grpc-js";
const nested = "/app/node_modules/some-client/node_modules/@grpc/grpc-js";
const windows = "C:\\app\\node_modules\\@grpc\\grpc-js";
const main = "build/src/index.js";
const grpc = { name: "@grpc/grpc-js", main, marker: /No resolver could be create[d]/ };
const effect = "channels of one do not know the other";
const advice = `; ${effect}; npm ls @grpc/grpc-js shows them, npm dedupe leaves one`;
const one = [["resolver", "policies"]];

for (const [what, files, want] of [
  ["no copy", [], undefined],
  ["one copy, whatever else of it was loaded", [`${here}/${main}`, `${here}/build/src/channel.js`], undefined],
  [
    "two copies",
    [`${here}/${main}`, "/app/main.js", `${nested}/${main}`],
    `there are 2 copies of @grpc/grpc-js in this process, ${here} and ${nested}${advice}`,
  ],
  ["a copy on Windows", [`${windows}\\build\\src\\index.js`], undefined],
  ["a package of another name", [`${here}-xds/${main}`, `/app/x@grpc/grpc-js/${main}`, `${here}/${main}`], undefined],
] as const) {
  test(`of the files that were loaded, only several copies are warned of: ${what}`, () => {
    assert.equal(describeCopies(grpc, one, effect, { files, self: "/nowhere" }), want);
  });
}

for (const [what, used, want] of [
  ["resolver and policies in one copy", one, undefined],
  [
    "each in another",
    [["resolver"], ["policies"]],
    `there are 2 copies of @grpc/grpc-js in this process, used by resolver; by policies${advice}`,
  ],
  ["both in both, as modules that were loaded anew", [...one, ...one], undefined],
] as const) {
  test(`where our packages are registered counts, also in a bundle: ${what}`, () => {
    assert.equal(describeCopies(grpc, used, effect, { files: [], self: "/nowhere" }), want);
  });
}

test("two copies in the bundle that runs are found", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "package-copies-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const self = join(folder, "bundle.js");
  const describe = (text: string) => {
    writeFileSync(self, text);
    return describeCopies(grpc, one, effect, { files: [], self });
  };
  const copy = 'throw new Error("No resolver could be created for x");';
  assert.equal(describe(`${copy}${copy}`), `there are 2 copies of @grpc/grpc-js in ${self}${advice}`);
  assert.equal(describe(copy), undefined);
  assert.equal(describe(String(grpc.marker)), undefined, "the marker does not match itself");
});

test("the record is the process's, and names each user of each copy once", () => {
  const [first, second] = [{}, {}];
  assert.deepEqual(recordCopy("a-package", first, "resolver"), [["resolver"]]);
  assert.deepEqual(recordCopy("a-package", first, "resolver"), [["resolver"]]);
  assert.deepEqual(recordCopy("a-package", first, "policies"), [["resolver", "policies"]]);
  assert.deepEqual(recordCopy("a-package", second, "policies"), [["resolver", "policies"], ["policies"]]);
  assert.deepEqual(recordCopy("another-package", second, "policies"), [["policies"]]);
});
