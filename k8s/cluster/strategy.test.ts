import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { manifestsOf, strategies } from "./strategy.ts";

test("the strategies are the base and every overlay", () => {
  const folders = readdirSync(join(import.meta.dirname, "../overlays")).map((name) => `overlays/${name}`);
  assert.deepEqual(strategies.map(manifestsOf).sort(), ["base", ...folders].sort());
});
