import assert from "node:assert/strict";
import { test } from "node:test";
import { podLook, shortName } from "./pod-look.ts";

test("the first 24 pods differ in colour or pattern, and neighbours in both", () => {
  const looks = Array.from({ length: 24 }, (_, i) => podLook(i).className);
  assert.equal(new Set(looks).size, 24, looks.join(", "));
  for (const [i, look] of looks.slice(1).entries()) {
    const [colour, pattern] = look.split(" ");
    const [otherColour, otherPattern] = looks[i]?.split(" ") ?? [];
    assert.ok(colour !== otherColour && pattern !== otherPattern, `${looks[i]} and ${look}`);
  }
});

test("a long name is cut to the end that tells it from others", () => {
  assert.equal(shortName("server-1"), "server-1");
  assert.equal(shortName("server-7d9f8c6b5-x2x5z"), "…x2x5z");
});
