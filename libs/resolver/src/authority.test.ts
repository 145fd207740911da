import assert from "node:assert/strict";
import { test } from "node:test";
import { toAuthority } from "./authority.ts";

for (const [name, want] of [
  ["server", "server"],
  ["team/shop/server", "server"],
  ["server.prod", "server.prod"],
  ["web shop", "web-shop"],
  ["a_b", "a_b"],
  ["server@v1:80", "server-v1-80"],
  ["-server.", "server"],
  ["Ü", "other"],
  ["...", "other"],
  ["v1.300", "other"], // what ends in a number is an IPv4 address to URL, and this is none
] as const) {
  test(`the authority of "${name}" is ${want}, a valid host`, () => {
    const authority = toAuthority(name, "other");
    assert.equal(authority, want);
    assert.ok(URL.canParse(`http://${authority}`));
  });
}
