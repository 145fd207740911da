import assert from "node:assert/strict";
import { test } from "node:test";
import { canonicalHost, formatAddress, isLoopback, parseAddress } from "./address.ts";

test("an IPv6 address has one spelling, whichever it was written in", () => {
  for (const spelling of ["fd00::1", "FD00::1", "fd00:0:0:0:0:0:0:1", "fd00:0000::0001"]) {
    assert.equal(canonicalHost(spelling), "fd00::1");
    assert.deepEqual(parseAddress(`[${spelling}]:80`), { host: "fd00::1", port: 80 });
    assert.equal(formatAddress(parseAddress(`[${spelling}]:80`)), "[fd00::1]:80");
  }
});

test("a zone stays, a mapped IPv4 address is that address, and a name is in lower case", () => {
  for (const [spelling, want] of [
    ["fe80::1%eth0", "fe80::1%eth0"],
    ["FE80:0::1%Eth0", "fe80::1%Eth0"],
    ["fe80::1%25eth0", "fe80::1%eth0"],
    ["fe80::1%25", "fe80::1%25"],
    ["::ffff:10.0.0.1", "10.0.0.1"],
    ["::FFFF:a00:1", "10.0.0.1"],
    ["0:0:0:0:0:ffff:10.0.0.1", "10.0.0.1"],
    ["::ffff:0:10.0.0.1", "::ffff:0:a00:1"],
    ["::1", "::1"],
    ["10.0.0.1", "10.0.0.1"],
    ["Server.Default", "server.default"],
    ["no:host", "no:host"],
  ] as const) {
    assert.equal(canonicalHost(spelling), want);
  }
  assert.deepEqual(parseAddress("[fe80::1%eth0]:80"), { host: "fe80::1%eth0", port: 80 });
  assert.equal(formatAddress({ host: "fe80::1%eth0", port: 80 }), "[fe80::1%eth0]:80");
});

test("a loopback address is one in each spelling", () => {
  for (const host of [
    "127.0.0.1",
    "::1",
    "0::1",
    "::1%lo",
    "::ffff:127.0.0.1",
    "::ffff:7f00:1",
    "LocalHost",
    "a.localhost.",
  ])
    assert.equal(isLoopback(host), true, host);
  for (const host of ["10.0.0.1", "::2", "::11", "localhost.example", "fe80::1%lo"])
    assert.equal(isLoopback(host), false, host);
});
