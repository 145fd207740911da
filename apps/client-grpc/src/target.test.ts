import assert from "node:assert/strict";
import { test } from "node:test";
import { targetFlag, validateTarget } from "./target.ts";

test("a target of grpc-js or of discovery is returned unchanged", () => {
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
    "ipv4:10.0.0.1",
    "ipv6:[::1]:1,[::2]:2",
    "ipv6:::1",
    "unix:/tmp/socket",
    "unix:///tmp/socket",
    "kubernetes:///server:grpc",
    "kubernetes:///server.shop:30051",
    "kubernetes://shop/server:grpc",
    "etcd://10.0.0.1:2379,10.0.0.2:2379/server",
    "consul://127.0.0.1:8500/server?tag=v1&near=_agent",
    "dns-poll:///server-headless:grpc?refresh=5s",
    "static:///10.0.0.1:1,[::1]:2?weights=3,1",
    "file:///etc/endpoints.yaml",
    "xds:///server:30051",
    "xds://control-plane:18000/server",
    targetFlag.default,
  ]) {
    assert.equal(validateTarget(text), text);
  }
});

test("a target that can never be reached is an error with the text", () => {
  for (const [text, reason] of [
    ["http://localhost:30051", /unknown scheme "http", known schemes: dns, .*kubernetes/],
    ["https://server", /unknown scheme "https", known schemes: /],
    ["foo://bar", /unknown scheme "foo"/],
    ["localhost:99999", /a port from 1 to 65535; got "localhost:99999"/],
    ["localhost:0", /a port from 1 to 65535/],
    ["localhost:", /a port from 1 to 65535; got "localhost:"/],
    ["dns:///server:grpc", /a port from 1 to 65535/],
    ["kubernetes:///Server:grpc", /is invalid: target "kubernetes:\/\/\/Server:grpc"/],
    ["kubernetes:///server:grpc?x=1", /unknown parameter "x"/],
    ["etcd:2379", /is invalid: target "etcd:2379": it does not begin with etcd:\/\/; expected etcd:\/\/host/],
    ["consul://c/server?token=secret", /is invalid: target "consul:\/\/c\/server\?token=…": unknown parameter "token"/],
    ["dns-poll:///server", /is invalid: .* is not name:port/],
    ["static:///a:1?weights=1,2", /is invalid: .*weights must be one for each of the 1 addresses, got 2/],
    ["file://e.yaml", /is invalid: .*behind three slashes/],
    ["ipv4:localhost:41001", /must list addresses such as ipv4:127\.0\.0\.1:30051, got "localhost:41001"/],
    ["ipv4:127.0.0.1:1,localhost:2", /got "localhost:2"/],
    ["ipv4:127.0.0.1:0", /got "127\.0\.0\.1:0"/],
    ["ipv4:127.0.0.1:1,", /got ""/],
    ["ipv6:127.0.0.1:1", /must list addresses such as ipv6:\[::1\]:30051, got "127\.0\.0\.1:1"/],
    ["dns://localhost:41001", /must name a host after a third slash: dns:\/\/\/localhost:41001$/],
    ["dns://localhost/", /must name a host after a third slash: dns:\/\/\/localhost$/],
    ["xds:///", /must name a listener after a third slash: xds:\/\/\/server, or a control plane: xds:\/\/host/],
    ["etcds://a/b", /unknown scheme "etcds"/],
    ["", /must be a target/],
    [" ", /must be a target/],
  ] as const) {
    assert.throws(() => validateTarget(text), { name: "RangeError", message: reason }, `"${text}"`);
  }
});

test("an error never repeats a user, a password, a query or a fragment", () => {
  for (const text of [
    "https://user:secret@server",
    "user:secret@server:x",
    "server:x?token=secret",
    "dns:///server:x?token=secret",
    "dns:///server:x#secret",
    "dns://user:secret@server",
    "ipv4:user:secret@server:1",
    "etcd://user:secret@server/x",
    "consul://server/x?token=secret",
  ]) {
    assert.throws(
      () => validateTarget(text),
      ({ message }: Error) => {
        assert.doesNotMatch(message, /secret/);
        return true;
      },
    );
  }
});
