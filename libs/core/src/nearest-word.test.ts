import assert from "node:assert/strict";
import { test } from "node:test";
import { nearestWord } from "./nearest-word.ts";

test("the nearest word is the one that was probably meant", () => {
  const words = ["target", "sources", "split", "on", "timeout", "targets"];
  const cases: readonly (readonly [string, string | undefined])[] = [
    ["taget", "target"],
    ["Target", "target"],
    ["targetss", "targets"],
    ["suorces", "sources"],
    ["in", "on"],
    ["by", undefined],
    ["policy", undefined],
    ["", undefined],
    ["t".repeat(100_000), undefined],
  ];
  for (const [word, want] of cases) assert.equal(nearestWord(word, words), want, word.slice(0, 20));
});
