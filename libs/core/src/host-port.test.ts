import assert from "node:assert/strict";
import { test } from "node:test";
import {
  bracketHost,
  formatHostPort,
  hostOfAddress,
  isPortNumber,
  parsePortNumber,
  unbracketHost,
} from "./host-port.ts";

test("an IPv6 host stands in brackets, any other as it is", () => {
  for (const [host, shown] of [
    ["10.0.0.1", "10.0.0.1"],
    ["server.default", "server.default"],
    ["::1", "[::1]"],
    ["fe80::1%eth0", "[fe80::1%eth0]"],
  ] as const) {
    assert.equal(bracketHost(host), shown);
    assert.equal(formatHostPort(host, 80), `${shown}:80`);
    assert.equal(unbracketHost(shown), host);
    assert.equal(hostOfAddress(`${shown}:80`), host);
  }
});

test("the host of a peer is what is before its last colon, or all of it", () => {
  assert.equal(hostOfAddress("fd00::7:51234"), "fd00::7");
  assert.equal(hostOfAddress("unknown"), "unknown");
  assert.equal(unbracketHost("[::1"), "[::1", "half of the brackets is none");
});

test("a port is a whole number from 1 to 65535", () => {
  for (const port of [1, 80, 65_535]) assert.ok(isPortNumber(port), String(port));
  for (const other of [0, -1, 65_536, 1.5, Number.NaN, Number.POSITIVE_INFINITY, "80", null, undefined, [80]])
    assert.ok(!isPortNumber(other), String(other));
});

test("the digits of a port are read, and nothing else", () => {
  for (const [text, port] of [
    ["1", 1],
    ["0080", 80],
    ["65535", 65_535],
    ["0", undefined],
    ["65536", undefined],
    ["", undefined],
    [" 80", undefined],
    ["+80", undefined],
    ["8e1", undefined],
    ["80.0", undefined],
    ["9".repeat(400), undefined],
  ] as const)
    assert.equal(parsePortNumber(text), port, text.slice(0, 20));
});
