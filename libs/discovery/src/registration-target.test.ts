import assert from "node:assert/strict";
import { test } from "node:test";
import { parseRegistrationTarget } from "./registration-target.ts";

test("a registration is written as a target, with the time to live", () => {
  assert.deepEqual(parseRegistrationTarget("etcd://127.0.0.1:2379/server?ttl=5s"), {
    t: "etcd",
    members: [{ host: "127.0.0.1", port: 2379 }],
    service: "server",
    layout: "endpoints",
    namespace: undefined,
    ttlMs: 5_000,
  });
  assert.deepEqual(parseRegistrationTarget("consul://127.0.0.1/server?ttl=5s&tag=v1&tag=eu"), {
    t: "consul",
    agent: { host: "127.0.0.1", port: 8500 },
    service: "server",
    tags: ["v1", "eu"],
    namespace: undefined,
    partition: undefined,
    ttlMs: 5_000,
    check: "ttl",
  });
  assert.partialDeepStrictEqual(parseRegistrationTarget("consul://a/b?ns=team&partition=eu"), {
    namespace: "team",
    partition: "eu",
  });
  assert.partialDeepStrictEqual(parseRegistrationTarget("consul://a/b?check=grpc"), {
    check: "grpc",
    ttlMs: undefined,
  });
  assert.partialDeepStrictEqual(parseRegistrationTarget("etcd://a,b:1/c?layout=kratos"), { layout: "kratos" });
});

test("a registration that is not valid is refused with the reason, and so are parameters that only targets have", () => {
  const expectedConsul = "expected consul://host[:8500]/service[?ttl=10s&tag=&check=grpc&ns=&partition=]";
  for (const [text, message] of [
    [
      "kubernetes:///server",
      'registration "kubernetes:///…": it begins with none of etcd:, consul:; expected ' +
        "etcd://host[:2379][,host2[:2379]]/service[?ttl=10s&layout=endpoints|kratos|go-micro|value|key&namespace=], //service for keys that begin with a slash; consul://host[:8500]/service[?ttl=10s&tag=&check=grpc&ns=&partition=]",
    ],
    [
      "consul://a/b?near=_agent",
      `registration "consul://a/b?near=…": unknown parameter "near"; there are ttl, tag, check, ns, partition; ${expectedConsul}`,
    ],
    [
      "consul://a/b?ttl=500ms",
      `registration "consul://a/b?ttl=500ms": ttl must be at least 1s, got "500ms"; ${expectedConsul}`,
    ],
    [
      "consul://a/b?token=s3cret",
      `registration "consul://a/b?token=…": unknown parameter "token"; there are ttl, tag, check, ns, partition; ${expectedConsul}`,
    ],
  ] as const) {
    assert.throws(() => parseRegistrationTarget(text), { name: "RangeError", message });
  }
});
