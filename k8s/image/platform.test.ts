import assert from "node:assert/strict";
import { test } from "node:test";
import { baseOf, isPlatform } from "./platform.ts";

test("the base is identified by its layers and its platform, not by its name", () => {
  const image = {
    Os: "linux",
    Architecture: "arm64",
    Variant: "v8",
    RootFS: { Layers: ["sha256:a", "sha256:b", "own"] },
  };
  assert.deepEqual(baseOf(image), { platform: "linux/arm64/v8", layers: "sha256:a sha256:b" });
});

for (const [got, wanted, is] of [
  ["linux/amd64", "linux/amd64", true],
  ["linux/arm64/v8", "linux/arm64", true],
  ["linux/arm64", "linux/arm64/v8", true],
  ["linux/amd64", "linux/arm64", false],
  ["linux/arm/v6", "linux/arm/v7", false],
  ["linux/arm64", "linux/arm", false],
] as const) {
  test(`${got} ${is ? "satisfies" : "does not satisfy"} ${wanted}`, () => assert.equal(isPlatform(got, wanted), is));
}
