import assert from "node:assert/strict";
import { test } from "node:test";
import { alignTable, markdownTable } from "./table.ts";

const columns = [
  { title: "client", align: "left" },
  { title: "calls", align: "right" },
  { title: "verdict", align: "left" },
] as const;

test("each column is as wide as its widest cell, and no line ends with spaces", () => {
  assert.deepEqual(
    alignTable(columns, [
      ["client-grpc", "7", "PINNED"],
      ["a", "123456", ""],
    ]),
    ["client        calls  verdict", "client-grpc       7  PINNED", "a            123456"],
  );
});

test("Markdown has the same cells, and a | in one does not end it", () => {
  assert.deepEqual(markdownTable(columns, [["a|b", "7", "PINNED"]]), [
    "| client | calls | verdict |",
    "| --- | ---: | --- |",
    "| a\\|b | 7 | PINNED |",
  ]);
});
