import assert from "node:assert/strict";
import { test } from "node:test";
import { canonicalHost, formatAddress, parseAddress } from "./address.ts";

test("an IPv6 address has one spelling, whichever it was written in", () => {
  for (const spelling of ["fd00::1", "FD00::1", "fd00:0:0:0:0:0:0:1", "fd00:0000::0001"]) {
    assert.equal(canonicalHost(spelling), "fd00::1");
    assert.deepEqual(parseAddress(`[${spelling}]:80`), { host: "fd00::1", port: 80 });
    assert.equal(formatAddress(parseAddress(`[${spelling}]:80`)), "[fd00::1]:80");
  }
});

test("any other host stays as it is", () => {
  for (const host of ["10.0.0.1", "server.default", "Server"]) assert.equal(canonicalHost(host), host);
});
