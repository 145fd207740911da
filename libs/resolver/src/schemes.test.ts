import assert from "node:assert/strict";
import { test } from "node:test";
import { authorityOf, toAuthority } from "./schemes.ts";

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

test("the authority of each scheme is a valid host, with the port only when it is a number", () => {
  for (const [text, want] of [
    ["kubernetes:///server", "server"],
    ["kubernetes:///server:grpc", "server"],
    ["kubernetes:///server:50051", "server:50051"],
    ["kubernetes:///server.default:grpc", "server.default"],
    ["kubernetes:///server.default:50051", "server.default:50051"],
    ["kubernetes:///server.default.svc.cluster.local:50051", "server.default:50051"],
    ["kubernetes://default/server:grpc", "server.default"],
    ["kubernetes://server.default:50051/", "server.default:50051"],
    ["kubernetes:///no such", "invalid.target"],
    ["etcd://a:2379,b/server", "server"],
    ["etcd://a/team/server", "server"],
    ["consul://c:8500/web%20shop?tag=v1", "web-shop"],
    ["dns-poll:///server.example:80", "server.example:80"],
    ["dns-poll:///server.example.:grpc?refresh=5s", "server.example"],
    ["static:///10.0.0.1:80,b:1?weights=1,2", "10.0.0.1:80"],
    ["static:///[::1]:80", "[::1]:80"],
    ["file:///etc/backends.v2.yaml", "backends.v2"],
    ["xds://cp:18000/server", "server"],
    ["xds://istiod:15010/outbound|80|v1|server.default.svc.cluster.local", "server.default.svc.cluster.local"],
    ["xds://cp/%2F", "xds"],
  ] as const) {
    assert.equal(authorityOf(text), want, text);
    assert.ok(URL.canParse(`http://${want}`), want);
  }
});
