import assert from "node:assert/strict";
import { test } from "node:test";
import { targetFlag, validateTarget } from "./target.ts";

test("all that grpc-js takes is taken, and left as it is", () => {
  for (const text of [
    "server:30051",
    "server",
    "server.default.svc.cluster.local:30051",
    "10.0.0.1:30051",
    "[::1]:30051",
    "dns:///server:30051",
    "dns:server:30051",
    "dns://10.96.0.10/server:30051",
    "dns:///server",
    "ipv4:10.0.0.1:1,10.0.0.2:2",
    "ipv6:[::1]:1,[::2]:2",
    "unix:/tmp/socket",
    "unix:///tmp/socket",
    "kubernetes:///server:grpc",
    "kubernetes:///server.shop:30051",
    "kubernetes://shop/server:grpc",
    targetFlag.default,
  ]) {
    assert.equal(validateTarget(text), text);
  }
});

test("a target that can never be reached is refused with what was got", () => {
  for (const [text, reason] of [
    ["http://localhost:30051", /the scheme "http" is none of dns, .*kubernetes/],
    ["https://server", /the scheme "https" is none of/],
    ["foo://bar", /the scheme "foo"/],
    ["localhost:99999", /a port from 1 to 65535; got "localhost:99999"/],
    ["localhost:0", /a port from 1 to 65535/],
    ["localhost:", /a port from 1 to 65535; got "localhost:"/],
    ["dns:///server:grpc", /a port from 1 to 65535/],
    ["kubernetes:///Server:grpc", /is refused: target "kubernetes:\/\/\/Server:grpc"/],
    ["kubernetes:///server:grpc?x=1", /unknown parameter "x"/],
    ["", /must be a target/],
    [" ", /must be a target/],
  ] as const) {
    assert.throws(() => validateTarget(text), { name: "RangeError", message: reason }, `"${text}"`);
  }
});
