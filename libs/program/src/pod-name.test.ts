import assert from "node:assert/strict";
import { test } from "node:test";
import { parsePodName } from "./pod-name.ts";

test("a pod name is one word of at most 253 printable characters", () => {
  for (const name of ["a", "server-6d4cf56db6-7x2kp", "node.example", "a".repeat(253)]) {
    assert.equal(parsePodName(name), name);
  }
});

test("any other answer is an error that shows its beginning without control characters", () => {
  for (const [text, shown] of [
    ["", ""],
    ["a\n", "a "],
    ["a b", "a b"],
    ["\u001b[31ma", "\\x1b[31ma"],
    ["a".repeat(254), `${"a".repeat(79)}…`],
  ] as const) {
    assert.throws(() => parsePodName(text), { message: `the answer is not a pod name: "${shown}"` });
  }
});
