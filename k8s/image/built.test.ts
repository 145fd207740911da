import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { type BuiltImages, namesOf, refsOf, requireBuilt, writeBuilt } from "./built.ts";

const built: BuiltImages = {
  imagePrefix: "reg.example/team/",
  nodeImage: "node:24",
  platform: "linux/amd64",
  tags: { server: "a", "client-http": "b", "client-grpc": "c", compare: "d", "control-plane": "e" },
};

function fileIn(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "built-"));
  t.after(() => rmSync(folder, { recursive: true }));
  return join(folder, "dist/images.json");
}

test("the record of the last build is read, with or without the prefix", (t) => {
  const file = fileIn(t);
  writeBuilt(built, file);
  assert.deepEqual(requireBuilt("", file), built);
  assert.deepEqual(requireBuilt("reg.example/team/", file), built);
});

test("another prefix than that of the build is an error with the command to run", (t) => {
  const file = fileIn(t);
  writeBuilt(built, file);
  assert.throws(() => requireBuilt("other/", file), {
    exitCode: 1,
    message:
      /last build are reg\.example\/team\/grpc-lb\/\*, not other\/.*make docker-build docker-push IMAGE_PREFIX=other\/$/,
  });
});

test("a missing or unreadable record counts as not built", (t) => {
  const file = fileIn(t);
  assert.throws(() => requireBuilt("", file), { message: /not built; run: make docker-build$/ });
  writeBuilt(built, file);
  writeFileSync(file, "{");
  assert.throws(() => requireBuilt("x/", file), { message: /run: make docker-build IMAGE_PREFIX=x\/$/ });
});

test("a build of before an app had an image lacks that image", (t) => {
  const file = fileIn(t);
  const { compare: _, ...tags } = built.tags;
  writeBuilt({ ...built, tags: tags as BuiltImages["tags"] }, file);
  assert.throws(() => requireBuilt("", file), { message: "the image of compare is not built; run: make docker-build" });
});

test("an image has two names: by content, and by the version in the manifests", () => {
  const { byContent, byVersion } = namesOf("server", built);
  assert.equal(byContent, "reg.example/team/grpc-lb/server:a");
  assert.match(byVersion, /^reg\.example\/team\/grpc-lb\/server:\d+\.\d+\.\d+$/);
  assert.equal(refsOf(built).length, 5);
});
