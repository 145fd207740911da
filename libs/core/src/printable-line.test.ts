import assert from "node:assert/strict";
import { test } from "node:test";
import { printableLine } from "./printable-line.ts";

test("line ends and the spaces around them become one space; other spaces stay", () => {
  for (const [text, want] of [
    ["a b", "a b"],
    ["  a  b  ", "  a  b  "],
    ["a\nb\r\nc", "a b c"],
    ["a \r\n\n  b", "a b"],
    ["a\n", "a "],
    ["größe 東京 👍", "größe 東京 👍"],
  ] as const) {
    assert.equal(printableLine(text), want, JSON.stringify(text));
  }
});

test("characters that change the terminal or the order of the text are shown as their codes", () => {
  for (const [text, want] of [
    ["\u001b[2J\u001b[1;31mred", "\\x1b[2J\\x1b[1;31mred"],
    ["\u001b]0;title\u0007", "\\x1b]0;title\\x07"],
    ["\u009b31m", "\\x9b31m"],
    ["a\tb\u0000c\u007f", "a\\x09b\\x00c\\x7f"],
    ["pay\u202eload", "pay\\u{202e}load"],
    ["a\u2028b", "a\\u{2028}b"],
    ["\ud800", "\\u{d800}"],
  ] as const) {
    assert.equal(printableLine(text), want);
  }
});

test("a long text is cut before it is processed, so the time does not depend on its length", () => {
  assert.equal(printableLine("x".repeat(100), 10), `${"x".repeat(9)}…`);
  const hostile = [" ".repeat(4_000_000), "\n".repeat(4_000_000), " \n".repeat(2_000_000)];
  const startMs = performance.now();
  for (const text of hostile) assert.ok(printableLine(text).length <= 2_000);
  const tookMs = performance.now() - startMs;
  assert.ok(tookMs < 500, `want a few milliseconds for ${hostile.length} hostile texts, took ${tookMs} ms`);
});
