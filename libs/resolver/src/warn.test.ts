import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { sayOnce } from "./warn.ts";

test("a message is said once, also when it keeps coming among others", () => {
  const said: string[] = [];
  const say = sayOnce((message) => said.push(message));
  for (let n = 0; n < 2_000; n++) {
    say("denied");
    say(`other ${n}`);
  }
  assert.deepEqual([said.length, said.filter((message) => message === "denied")], [2_001, ["denied"]]);
});

test("row 22: the last thousand messages are remembered, and no more", () => {
  const said: string[] = [];
  const say = sayOnce((message) => said.push(message));
  for (let n = 0; n < 1_001; n++) say(`message ${n}`);
  say("message 1");
  assert.equal(said.length, 1_001, "the second of 1 001 is remembered");
  say("message 0");
  assert.deepEqual([said.length, said.at(-1)], [1_002, "message 0"]);
});

test("what a user's warn throws is a Node warning, and costs whoever had something to say nothing", async () => {
  const warned = once(process, "warning");
  sayOnce(() => {
    throw new Error("a logger's bug");
  })("denied");
  assert.match(String(await warned), /a logger's bug/);
});
