import assert from "node:assert/strict";
import { test } from "node:test";
import type { Instance } from "../core/registration.ts";
import { defineService } from "./service-definition.ts";

const instance: Instance = { service: "web", address: { host: "10.0.0.1", port: 80 } };

test("by default an instance has a TTL check of 10 s that passes, and Consul removes it after a minute in a critical state", () => {
  assert.deepEqual(defineService(instance), {
    ID: "web-10.0.0.1-80",
    Name: "web",
    Address: "10.0.0.1",
    Port: 80,
    Tags: [],
    Meta: {},
    Weights: { Passing: 1, Warning: 1 },
    Check: {
      CheckID: "service:web-10.0.0.1-80",
      Name: "refreshed by the instance",
      DeregisterCriticalServiceAfter: "60000ms",
      TTL: "10000ms",
      Status: "passing",
    },
  });
});

test("a gRPC check is made by the agent, every third of the TTL, and does not pass before it was made", () => {
  const checkOf = (check: Parameters<typeof defineService>[1], host = "10.0.0.1") => {
    const {
      Name: _,
      CheckID: __,
      DeregisterCriticalServiceAfter: ___,
      ...rest
    } = defineService({ ...instance, address: { host, port: 80 }, ttlMs: 6_000 }, check).Check;
    return rest;
  };
  assert.deepEqual(checkOf({ check: { t: "grpc" } }), {
    GRPC: "10.0.0.1:80",
    GRPCUseTLS: false,
    Interval: "2000ms",
    Timeout: "2000ms",
  });
  assert.deepEqual(
    checkOf({ check: { t: "grpc", service: "pod", tls: true, intervalMs: 1_500.5, timeoutMs: 100 } }, "fd00::1"),
    {
      GRPC: "[fd00::1]:80/pod",
      GRPCUseTLS: true,
      Interval: "1501ms",
      Timeout: "100ms",
    },
  );
});

const weights: readonly [number, number, string | undefined][] = [
  [1, 1, undefined],
  [65_535, 65_535, undefined],
  [0, 1, "0"],
  [0.5, 1, "0.5"],
  [2.6, 3, "2.6"],
  [100_000, 65_535, "100000"],
];
for (const [weight, passing, meta] of weights) {
  test(`a weight of ${weight} is ${passing} in Weights.Passing, and ${meta ?? "absent"} in Service.Meta`, () => {
    const { Weights, Meta } = defineService({ ...instance, weight });
    assert.deepEqual([Weights, Meta["grpc-lb-weight"]], [{ Passing: passing, Warning: 1 }, meta]);
  });
}

const pairs = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, n) => [`k${n}`, "v"]));
const wrong: readonly [string, Partial<Instance>, Parameters<typeof defineService>[1], RegExp][] = [
  ["no service", { service: "" }, {}, /^service must be a name/],
  ["an address of all", { address: { host: "0.0.0.0", port: 1 } }, {}, /^address\.host must be where clients reach/],
  ["an IPv6 address of all", { address: { host: "::", port: 1 } }, {}, /^address\.host/],
  ["no port", { address: { host: "10.0.0.1", port: 0 } }, {}, /^address\.port must be from 1 to 65535, got 0/],
  ["a negative weight", { weight: -1 }, {}, /^weight must be a number from 0/],
  ["a short TTL", { ttlMs: 999 }, {}, /^ttlMs must be from 1000 to 86400000, got 999/],
  [
    "a short deregistration",
    {},
    { deregisterCriticalAfterMs: 59_999 },
    /^deregisterCriticalAfterMs must be from 60000/,
  ],
  ["a short interval", {}, { check: { t: "grpc", intervalMs: 999 } }, /^intervalMs must be from 1000/],
  ["an empty tag", {}, { tags: ["a", ""] }, /^tags must not be empty/],
  ["a key with a dot", { metadata: { "a.b": "" } }, {}, /^metadata "a\.b": in Consul a key must be of letters/],
  [
    "a long key",
    { metadata: { ["k".repeat(129)]: "" } },
    {},
    /^metadata "k{64}…": .* at most 128 characters long, got 129/,
  ],
  ["a reserved key", { metadata: { "consul-x": "" } }, {}, /must not begin with "consul-"/],
  ["a long value", { metadata: { k: "é".repeat(257) } }, {}, /^metadata "k": .* at most 512 bytes long, got 514/],
  ["many pairs", { metadata: pairs(65) }, {}, /^metadata must be at most 64 pairs in Consul, got 65/],
  ["many pairs with the weight's", { metadata: pairs(64), weight: 0 }, {}, /at most 64 pairs in Consul, got 65/],
];
for (const [what, change, options, message] of wrong) {
  test(`${what} is refused`, () => {
    assert.throws(() => defineService({ ...instance, ...change }, options), { name: "RangeError", message });
  });
}

test("metadata at the limits is accepted", () => {
  const metadata = { ...pairs(63), ["k".repeat(128)]: "v".repeat(512) };
  assert.equal(Object.keys(defineService({ ...instance, metadata }).Meta).length, 64);
});
