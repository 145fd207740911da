import assert from "node:assert/strict";
import { test } from "node:test";
import { addressesInHosts } from "./hosts-file.ts";

const text = `
127.0.0.1 localhost
::1	localhost ip6-localhost # the same
10.0.0.1  server.example server  Other
10.0.0.2  server
10.0.0.2  server
# 10.0.0.3 server
nonsense  server
`;

for (const [name, want] of [
  ["localhost", ["127.0.0.1", "::1"]],
  ["server", ["10.0.0.1", "10.0.0.2"]],
  ["SERVER.example.", ["10.0.0.1"]],
  ["other", ["10.0.0.1"]],
  ["example", []],
] as const) {
  test(`the hosts file has ${want.length} addresses of ${name}`, () => {
    assert.deepEqual(addressesInHosts(text, name), want);
  });
}
