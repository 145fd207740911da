import assert from "node:assert/strict";
import { test } from "node:test";
import { DiscoveryError } from "./discovery-error.ts";

const messageOf = (text: string) => new DiscoveryError("unavailable", text).message;

test("a message is one line, and no terminal obeys it", () => {
  assert.equal(messageOf("kubernetes: \x1b[2Jno\nline 2\u202e"), "kubernetes: \ufffd[2Jno line 2\ufffd");
  assert.equal(messageOf("one \r\n\r\n  two\u2028three"), "one two three");
});

test("a message that needs no change has none", () => {
  for (const text of ["etcd: watch s/ on h:2379: não há 🙂", ""]) assert.equal(messageOf(text), text);
});

test("a message is cut after 4 000 characters, in a time that its length alone determines", () => {
  assert.equal(messageOf(" ".repeat(1_000_000)).length, 4_001);
  assert.equal(messageOf("\n".repeat(1_000_000)), " …");
});
