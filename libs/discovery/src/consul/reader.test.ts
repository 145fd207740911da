import assert from "node:assert/strict";
import { test } from "node:test";
import type { HealthEntry } from "../../testing/consul/fake-store.ts";
import { type ReadInstance, readHealth, readIndex } from "./reader.ts";

type Parts = { readonly [P in "Node" | "Service"]?: Partial<HealthEntry[P]> } & Pick<HealthEntry, "Checks">;

const entry = ({ Node, Service, Checks }: Parts): HealthEntry => ({
  Node: { Node: "n", Address: "10.0.0.9", ...Node },
  Service: { ID: "s-1", Service: "s", Address: "10.0.0.1", Port: 80, ...Service },
  Checks: Checks ?? [],
});
const read = (value: unknown) => readHealth(JSON.stringify([value]))[0] as ReadInstance;
const one = (parts: Parts) => {
  const instance = read(entry(parts));
  return instance.t === "endpoint" ? instance.endpoint : undefined;
};
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
  ["IPv6 in its one spelling", { Service: { Address: "FD00:0:0::1" } }, "fd00::1"],
  ["a name", { Service: { Address: "web.example" } }, "web.example"],
  ["none for what is not a host", { Service: { Address: "not a host!" } }, undefined],
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
  ["1 where Consul has none", {}, 1],
  ["Weights.Passing", { Service: weights }, 7],
  ["Weights.Passing, with checks that pass", { Service: weights, Checks: [check("passing")] }, 7],
  ["Weights.Warning with one that warns", { Service: weights, Checks: [check("passing"), check("warning")] }, 2],
  ["0 when critical", { Service: weights, Checks: [check("warning"), check("critical")] }, 0],
  ["0 when the node is critical, as in its maintenance", { Service: weights, Checks: [check("critical", "")] }, 0],
  ["0 with a status that is not known", { Service: weights, Checks: [check("unknown")] }, 0],
  ["another service's check on the node does not count", { Service: weights, Checks: [check("critical", "x")] }, 7],
  [
    "the exact weight of a registration of this library",
    { Service: { ...weights, Meta: { "grpc-lb-weight": "100000" } } },
    100_000,
  ],
  ["such a weight of 0", { Service: { ...weights, Meta: { "grpc-lb-weight": "0" } } }, 0],
  ["Weights.Passing when such a weight is not valid", { Service: { ...weights, Meta: { "grpc-lb-weight": "-1" } } }, 7],
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

test("what Consul allows and cannot be called is left out with the reason", () => {
  for (const [parts, why] of [
    [{ Service: { Port: 0 } }, "it has no port"],
    [{ Service: { Port: -1 } }, "its port must be from 1 to 65535, got -1"],
    [{ Service: { Port: 80_000 } }, "its port must be from 1 to 65535, got 80000"],
    [{ Service: { Address: "" }, Node: { Address: "" } }, "it has no address"],
    [{ Service: { Address: "not a host!" } }, 'its address must be a host name or an IP address, got "not a host!"'],
  ] as readonly [Parts, string][]) {
    assert.deepEqual(read(entry(parts)), { t: "notCallable", id: "n/s-1", why });
  }
});

const wrongValues: readonly [field: string, value: unknown, why: string][] = [
  ["Node", null, "Node must be an object, got null"],
  ["Node.Node", 5, "Node.Node must be a text that is not empty, got 5"],
  ["Node.Address", {}, "Node.Address must be text, got an object"],
  ["Node.Meta", [], "Node.Meta must be an object, got a list"],
  ["Node.Meta.zone", {}, "Node.Meta.zone must be text"],
  ["Node.Locality", "eu", 'Node.Locality must be an object, got "eu"'],
  ["Node.Locality.Zone", 1, "Node.Locality.Zone must be text, got 1"],
  ["Service", 5, "Service must be an object, got 5"],
  ["Service.ID", true, "Service.ID must be a text that is not empty, got true"],
  ["Service.ID", "", 'Service.ID must be a text that is not empty, got ""'],
  ["Service.Service", {}, "Service.Service must be text, got an object"],
  ["Service.Address", 10, "Service.Address must be text, got 10"],
  ["Service.Port", "80", 'Service.Port must be a whole number, got "80"'],
  ["Service.Port", 1.5, "Service.Port must be a whole number, got 1.5"],
  ["Service.Port", 1e308, "Service.Port must be a whole number, got 1e+308"],
  ["Service.Port", {}, "Service.Port must be a whole number, got an object"],
  ["Service.Meta", "x", 'Service.Meta must be an object, got "x"'],
  ["Service.Meta.secret", 5, "Service.Meta.secret must be text"],
  ["Service.Weights", 5, "Service.Weights must be an object, got 5"],
  ["Service.Weights", [], "Service.Weights must be an object, got a list"],
  ["Service.Weights.Passing", -5, "Service.Weights.Passing must be a number from 0 to 4294967295, got -5"],
  ["Service.Weights.Passing", 1e308, "Service.Weights.Passing must be a number from 0 to 4294967295, got 1e+308"],
  ["Service.Weights.Passing", {}, "Service.Weights.Passing must be a number from 0 to 4294967295, got an object"],
  ["Service.Weights.Warning", "1", 'Service.Weights.Warning must be a number from 0 to 4294967295, got "1"'],
  ["Service.Locality.Zone", [], "Service.Locality.Zone must be text, got a list"],
  ["Checks", {}, "Checks must be a list, got an object"],
  ["Checks", [null], "Checks[0] must be an object, got null"],
  ["Checks", [{ Status: 5 }], "Checks[0].Status must be a text that is not empty, got 5"],
  ["Checks", [{ Status: "passing", ServiceName: {} }], "Checks[0].ServiceName must be text, got an object"],
];
for (const [field, value, why] of wrongValues) {
  test(`an instance with ${field} of ${JSON.stringify(value)} is not valid: ${why}`, () => {
    const good = { ...entry({ Service: { Weights: {}, Meta: {}, Locality: {} }, Node: { Meta: {}, Locality: {} } }) };
    const names = field.split(".");
    let at = good as unknown as Record<string, unknown>;
    for (const name of names.slice(0, -1)) at = at[name] as Record<string, unknown>;
    at[names.at(-1) ?? ""] = value;
    const instance = read(good);
    const hasId = !["Node", "Service", "Node.Node", "Service.ID"].includes(field);
    assert.deepEqual(instance, { t: "invalid", id: hasId ? "n/s-1" : undefined, why });
  });
}

test("the same service id on two nodes is two instances", () => {
  const ids = [entry({}), entry({ Node: { Node: "m" } })].map((each) => read(each).id);
  assert.deepEqual(ids, ["n/s-1", "m/s-1"]);
});

test("anything but a list is refused, and what it contains is not repeated", () => {
  for (const [text, why] of [
    ["", "it is not valid JSON"],
    ["[", "it is not valid JSON"],
    ["hunter2", "it is not valid JSON"],
    ["null", "it must be a list of instances, got null"],
    ["{}", "it must be a list of instances, got an object"],
    ['{"SecretID":"hunter2"}', "it must be a list of instances, got an object"],
    ["5", "it must be a list of instances, got 5"],
  ]) {
    const message = `the answer cannot be read: ${why}`;
    assert.throws(() => readHealth(text ?? ""), { name: "UnreadableAnswer", message });
  }
  assert.deepEqual(readHealth("[]"), []);
});

test("one instance that cannot be read does not affect the others", () => {
  const notCallable = entry({ Service: { ID: "s-2", Port: 0 } });
  const instances = readHealth(JSON.stringify([null, entry({}), 5, {}, [], notCallable, entry({})]));
  const kinds = instances.map(({ t }) => t);
  assert.deepEqual(kinds, ["invalid", "endpoint", "invalid", "invalid", "invalid", "notCallable", "invalid"]);
  assert.deepEqual(instances.at(-1), { t: "invalid", id: "n/s-1", why: "it is given twice" });
});

test("an index is a whole number", () => {
  assert.deepEqual([readIndex("0"), readIndex("17")], [0, 17]);
  for (const value of [undefined, "", "-1", "1.5", "1e3", "0x10", "7, 7", "x", "9".repeat(21)]) {
    assert.throws(() => readIndex(value), { name: "UnreadableAnswer", message: /^the answer has no X-Consul-Index/ });
  }
});
