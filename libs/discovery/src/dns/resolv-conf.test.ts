import assert from "node:assert/strict";
import { test } from "node:test";
import { candidatesOf, parseSearchRules } from "./resolv-conf.ts";

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
