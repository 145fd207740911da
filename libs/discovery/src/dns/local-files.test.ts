import assert from "node:assert/strict";
import { test } from "node:test";
import { addressesInHosts, candidatesOf, parseSearchRules } from "./local-files.ts";

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

for (const [what, text, want] of [
  ["nothing", "", { search: [], ndots: 1 }],
  [
    "that of a pod",
    "search default.svc.cluster.local svc.cluster.local cluster.local\nnameserver 10.96.0.10\noptions ndots:5\n",
    { search: ["default.svc.cluster.local", "svc.cluster.local", "cluster.local"], ndots: 5 },
  ],
  [
    "comments, tabs and dots at the end",
    "# search a\n;search b\n\tsearch\tc.\td # e\n",
    { search: ["c", "d"], ndots: 1 },
  ],
  ["the last of several lines", "search a b\ndomain c\n", { search: ["c"], ndots: 1 }],
  ["other options", "options edns0 ndots:2 timeout:1\noptions rotate", { search: [], ndots: 2 }],
  ["more dots than there may be", "options ndots:99", { search: [], ndots: 15 }],
  ["a search list that is taken back", "search a\nsearch .\n", { search: [], ndots: 1 }],
] as const) {
  test(`a resolv.conf is read: ${what}`, () => {
    assert.deepEqual(parseSearchRules(text), want);
  });
}

for (const [name, ndots, want] of [
  ["server", 5, ["server.a", "server.b", "server"]],
  ["server.default", 5, ["server.default.a", "server.default.b", "server.default"]],
  ["server.default", 1, ["server.default", "server.default.a", "server.default.b"]],
  ["server", 0, ["server", "server.a", "server.b"]],
  ["server.", 5, ["server"]],
] as const) {
  test(`${name} is completed with ndots ${ndots} as resolver(3) does`, () => {
    assert.deepEqual(candidatesOf(name, { search: ["a", "b"], ndots }), want);
  });
}
