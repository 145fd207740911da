import assert from "node:assert/strict";
import { test } from "node:test";
import { loadedCopies } from "./loaded-copies.ts";

const here = "/app/node_modules/@grpc/grpc-js";
const nested = "/app/node_modules/some-client/node_modules/@grpc/grpc-js";
const windows = "C:\\app\\node_modules\\@grpc\\grpc-js";
const main = "build/src/index.js";

for (const [what, loaded, copies] of [
  ["no copy", [], []],
  ["one copy, whatever else of it was loaded", [`${here}/${main}`, `${here}/build/src/channel.js`], [here]],
  ["two copies", [`${here}/${main}`, "/app/main.js", `${nested}/${main}`], [here, nested]],
  ["a copy on Windows", [`${windows}\\build\\src\\index.js`], [windows]],
  ["a package of another name", [`/app/node_modules/@grpc/grpc-js-xds/${main}`, `/app/x@grpc/grpc-js/${main}`], []],
] as const) {
  test(`${what}: the folders of the copies are found`, () => {
    assert.deepEqual(loadedCopies("@grpc/grpc-js", main, loaded), copies);
  });
}

test("a package that this process has loaded is found", async () => {
  await import("commander"); // which is CommonJS
  assert.equal(loadedCopies("commander", "index.js").length, 1);
});
