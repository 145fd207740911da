import assert from "node:assert/strict";
import { test } from "node:test";
import type { Service, SlicePort } from "./endpoint-slice.ts";
import { describePort, describePorts, type PortSelector, resolvePort, type SettledPort } from "./port.ts";

const first: PortSelector = { t: "first" };
const name = (name: string): SettledPort => ({ t: "name", name });
const number = (number: number): SettledPort => ({ t: "number", number });
const two: SlicePort[] = [
  { name: "http", port: 8080, protocol: "TCP" },
  { name: "grpc", port: 50051, protocol: "TCP" },
];
const serviceOf = (...ports: { name?: string; port: number; protocol?: string }[]): Service => ({
  metadata: {},
  spec: { ports },
});

const cases: [string, SettledPort, SlicePort[], Service | undefined, number | undefined][] = [
  ["a name", name("grpc"), two, undefined, 50051],
  ["an unknown name (KR: it becomes the port to dial)", name("admin"), two, undefined, undefined],
  [
    "UDP and TCP on one number of the Service",
    number(443),
    [
      { name: "h3", port: 8443, protocol: "UDP" },
      { name: "https", port: 8443, protocol: "TCP" },
    ],
    serviceOf({ name: "h3", port: 443, protocol: "UDP" }, { name: "https", port: 443, protocol: "TCP" }),
    8443,
  ],
  [
    "UDP of the Service",
    number(443),
    [{ name: "h3", port: 8443 }],
    serviceOf({ name: "h3", port: 443, protocol: "UDP" }),
    undefined,
  ],
  ["a name is matched whole", name("grp"), two, undefined, undefined],
  ["a target number", number(8080), two, undefined, 8080],
  ["the Service's number, by the port's name", number(80), two, serviceOf({ name: "http", port: 80 }), 8080],
  [
    "the Service's number, one port without a name",
    number(80),
    [{ name: "", port: 8080 }],
    serviceOf({ port: 80 }),
    8080,
  ],
  ["a target number goes before the Service's", number(8080), two, serviceOf({ name: "grpc", port: 8080 }), 8080],
  ["an unknown number", number(81), two, serviceOf({ name: "http", port: 80 }), undefined],
  ["a number, and no Service", number(80), two, undefined, undefined],
  ["a Service without ports", number(80), two, { metadata: {}, spec: { ports: null } }, undefined],
  ["a Service port that the slice lacks", number(90), two, serviceOf({ name: "admin", port: 90 }), undefined],
  ["null for a port means every port", number(81), [{ name: "any", port: null }], undefined, 81],
  ["no port field means every port", number(81), [{ name: "any" }], undefined, 81],
  ["a name without a number cannot be dialled", name("any"), [{ name: "any", port: null }], undefined, undefined],
  [
    "UDP is no port to dial",
    name("b"),
    [
      { name: "a", port: 53, protocol: "UDP" },
      { name: "b", port: 80 },
    ],
    undefined,
    80,
  ],
  ["nor is UDP by its name", name("a"), [{ name: "a", port: 53, protocol: "UDP" }], undefined, undefined],
  ["nor is UDP by number", number(53), [{ name: "a", port: 53, protocol: "UDP" }], undefined, undefined],
];
for (const [what, selector, ports, service, want] of cases) {
  test(`row 13: ${what}`, () => assert.equal(resolvePort(selector, ports, service), want));
}

test("ports are said as a person would, each once", () => {
  assert.equal(describePorts([...two, ...two]), "grpc (50051), http (8080)");
  assert.equal(describePorts([{ port: 80 }, { name: "any", port: null }]), "80, any (any)");
  assert.equal(describePorts([]), "none");
  assert.deepEqual([name("a"), number(1), first].map(describePort), ['port "a"', "port 1", "port"]);
});
