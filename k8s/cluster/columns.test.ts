import assert from "node:assert/strict";
import { test } from "node:test";
import { Columns } from "./columns.ts";

test("lines of both sides are paired in their order", () => {
  const columns = new Columns(23);
  assert.deepEqual(columns.push(0, "#1: a"), []);
  assert.deepEqual(columns.push(0, "#2: b"), []);
  assert.deepEqual(columns.push(1, "#1: c"), ["#1: a      │ #1: c"]);
  assert.deepEqual(columns.push(1, "#2: c"), ["#2: b      │ #2: c"]);
});

test("flush pairs waiting lines with empty cells", () => {
  const columns = new Columns(23);
  columns.push(1, "#1: c");
  assert.deepEqual(columns.flush(), ["           │ #1: c"]);
  columns.push(0, "#1: a");
  assert.deepEqual(columns.flush(), ["#1: a      │"]);
  assert.deepEqual(columns.flush(), []);
});

test("a line that is too long is wrapped in its own column", () => {
  const columns = new Columns(23);
  assert.deepEqual(columns.row("Error: no connection", "#1: c"), ["Error: no  │ #1: c", "connection │"]);
});
