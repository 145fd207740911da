import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { dedupeWarnings } from "./warn.ts";

test("a message is let through once, also when it repeats among others", () => {
  const emitted: string[] = [];
  const warn = dedupeWarnings((message) => emitted.push(message));
  for (let n = 0; n < 2_000; n++) {
    warn("denied");
    warn(`other ${n}`);
  }
  assert.deepEqual([emitted.length, emitted.filter((message) => message === "denied")], [2_001, ["denied"]]);
});

test("the last thousand messages are remembered, and no more", () => {
  const emitted: string[] = [];
  const warn = dedupeWarnings((message) => emitted.push(message));
  for (let n = 0; n < 1_001; n++) warn(`message ${n}`);
  warn("message 1");
  assert.equal(emitted.length, 1_001, "the second of 1 001 is remembered");
  warn("message 0");
  assert.deepEqual([emitted.length, emitted.at(-1)], [1_002, "message 0"]);
});

test("what warn throws becomes a Node warning, and is not thrown", async () => {
  const warned = once(process, "warning");
  dedupeWarnings(() => {
    throw new Error("a logger's bug");
  })("denied");
  assert.match(String(await warned), /a logger's bug/);
});
