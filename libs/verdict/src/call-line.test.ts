import assert from "node:assert/strict";
import { test } from "node:test";
import { type CallLine, parseCallLine } from "./call-line.ts";

const table: readonly (readonly [line: string, want: CallLine | undefined])[] = [
  ["#1: server-7d9f", { t: "call", number: 1, pod: "server-7d9f" }],
  ["#1200: a", { t: "call", number: 1200, pod: "a" }],
  ["Error: connect ECONNREFUSED", { t: "error", reason: "connect ECONNREFUSED" }],
  ["Error: #1: a", { t: "error", reason: "#1: a" }],
  ["#0: a", undefined],
  ["#01: a", undefined],
  ["#-1: a", undefined],
  ["#1:a", undefined],
  ["#1: ", undefined],
  ["#1: a b", undefined],
  ["#1: \u001b[2Ja", undefined],
  ["#1: a ", undefined],
  [" #1: a", undefined],
  ["1: a", undefined],
  ["x #1: a", undefined],
  ["#1: a\n#2: b", undefined],
  ["Error:", undefined],
  ["Error: ", undefined],
  ["error: x", undefined],
  ["", undefined],
];

test("a line is a numbered call, an error, or neither", () => {
  for (const [line, want] of table) assert.deepEqual(parseCallLine(line), want, JSON.stringify(line));
});
