import assert from "node:assert/strict";
import { test } from "node:test";
import { type HealthEntry, parseHealthEntries, toEndpoints } from "./health-entry.ts";

type Parts = { readonly [P in "Node" | "Service"]?: Partial<HealthEntry[P]> } & Pick<HealthEntry, "Checks">;

const entry = ({ Node, Service, Checks }: Parts): HealthEntry => ({
  Node: { Node: "n", Address: "10.0.0.9", ...Node },
  Service: { ID: "s-1", Service: "s", Address: "10.0.0.1", Port: 80, ...Service },
  Checks: Checks ?? [],
});
const one = (parts: Parts) => toEndpoints([entry(parts)])[0];
const check = (Status: string, ServiceName = "s") => ({ Status, ServiceName });

test("an instance is an endpoint: node and service id, Service.Meta and the node's name", () => {
  assert.deepEqual(one({ Service: { Meta: { podName: "p", "grpc-lb-weight": "0.5" } } }), {
    id: "n/s-1",
    addresses: [{ host: "10.0.0.1", port: 80 }],
    weight: 0.5,
    zone: undefined,
    forZones: [],
    nodeName: "n",
    metadata: { serviceId: "s-1", podName: "p" },
  });
});

const hosts: readonly [string, Parts, string | undefined][] = [
  ["the service's address", {}, "10.0.0.1"],
  ["the node's when the service has none", { Service: { Address: "" } }, "10.0.0.9"],
  ["IPv6 without brackets", { Service: { Address: "fd00::1" } }, "fd00::1"],
  ["IPv6 that was registered in brackets", { Service: { Address: "[fd00::1]" } }, "fd00::1"],
  ["a name", { Service: { Address: "web.example" } }, "web.example"],
  ["none for what is no host", { Service: { Address: "not a host!" } }, undefined],
  ["none for a URL", { Service: { Address: "http://x.y/z" } }, undefined],
  ["none for a port beyond 65535", { Service: { Port: 65_536 } }, undefined],
  ["none without a port", { Service: { Port: 0 } }, undefined],
  ["none without any address", { Service: { Address: "" }, Node: { Address: "" } }, undefined],
];
for (const [what, parts, host] of hosts) {
  test(`host: ${what}`, () => assert.equal(one(parts)?.addresses[0]?.host, host));
}

const weights = { Weights: { Passing: 7, Warning: 2 } };
const weighed: readonly [string, Parts, number][] = [
  ["1 where Consul says nothing", {}, 1],
  ["Weights.Passing", { Service: weights }, 7],
  ["Weights.Passing, with checks that pass", { Service: weights, Checks: [check("passing")] }, 7],
  ["Weights.Warning with one that warns", { Service: weights, Checks: [check("passing"), check("warning")] }, 2],
  ["0 when critical", { Service: weights, Checks: [check("warning"), check("critical")] }, 0],
  ["0 when the node is critical", { Service: weights, Checks: [check("critical", "")] }, 0],
  ["another service's check on the node does not count", { Service: weights, Checks: [check("critical", "x")] }, 7],
  ["our own exact weight", { Service: { ...weights, Meta: { "grpc-lb-weight": "100000" } } }, 100_000],
  ["our own weight of 0", { Service: { ...weights, Meta: { "grpc-lb-weight": "0" } } }, 0],
  ["Weights.Passing when ours is none", { Service: { ...weights, Meta: { "grpc-lb-weight": "-1" } } }, 7],
];
for (const [what, parts, weight] of weighed) {
  test(`weight: ${what}`, () => assert.equal(one(parts)?.weight, weight));
}

const zones: readonly [string, Parts, string | undefined][] = [
  [
    "Service.Meta first",
    { Service: { Meta: { zone: "a" }, Locality: { Zone: "c" } }, Node: { Meta: { zone: "b" } } },
    "a",
  ],
  ["then the node's Meta", { Service: { Locality: { Zone: "c" } }, Node: { Meta: { zone: "b" } } }, "b"],
  ["then Service.Locality", { Service: { Locality: { Zone: "c" } }, Node: { Locality: { Zone: "d" } } }, "c"],
  ["then the node's Locality", { Node: { Locality: { Zone: "d" } } }, "d"],
  ["else none", { Service: { Meta: null }, Node: { Meta: null, Locality: null } }, undefined],
];
for (const [what, parts, zone] of zones) {
  test(`zone: ${what}`, () => assert.equal(one(parts)?.zone, zone));
}

test("the same service id on two nodes is two endpoints, and one address under two ids is one", () => {
  const ids = (...all: readonly Parts[]) => toEndpoints(all.map(entry)).map(({ id }) => id);
  assert.deepEqual(ids({}, { Node: { Node: "m" }, Service: { Address: "10.0.0.2" } }), ["n/s-1", "m/s-1"]);
  assert.deepEqual(ids({}, { Service: { ID: "s-2" } }), ["n/s-1"]);
  assert.deepEqual(ids({ Checks: [check("critical")] }, { Service: { ID: "s-2" } }), ["n/s-2"], "the one that lives");
});

test("what is no list of instances is refused", () => {
  for (const text of ["", "[", "null", "{}", '"[]"', "[1]", "[null]", "[{}]", '[{"Node":{"Node":"n"}}]']) {
    assert.throws(() => parseHealthEntries(text), /SyntaxError|TypeError/, text);
  }
  assert.deepEqual(parseHealthEntries("[]"), []);
});
