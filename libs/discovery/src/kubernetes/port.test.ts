import assert from "node:assert/strict";
import { test } from "node:test";
import type { Service, SlicePort } from "./endpoint-slice.ts";
import { describePort, describePorts, type PortSelector, resolvePort } from "./port.ts";

const first: PortSelector = { t: "first" };
const name = (name: string): PortSelector => ({ t: "name", name });
const number = (number: number): PortSelector => ({ t: "number", number });
const two: SlicePort[] = [
  { name: "http", port: 8080, protocol: "TCP" },
  { name: "grpc", port: 50051, protocol: "TCP" },
];
const serviceOf = (...ports: { name?: string; port: number }[]): Service => ({ metadata: {}, spec: { ports } });

const cases: [string, PortSelector, SlicePort[], Service | undefined, number | undefined][] = [
  ["a name", name("grpc"), two, undefined, 50051],
  ["an unknown name", name("admin"), two, undefined, undefined],
  ["a name is matched whole", name("grp"), two, undefined, undefined],
  ["first is by name, whatever the slice's order", first, two, undefined, 50051],
  ["first in the other order", first, [...two].reverse(), undefined, 50051],
  ["first of one without a name", first, [{ name: "", port: 80 }], undefined, 80],
  ["first of one with null for a name", first, [{ name: null, port: 80 }], undefined, 80],
  ["first of none", first, [], undefined, undefined],
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
    first,
    [
      { name: "a", port: 53, protocol: "UDP" },
      { name: "b", port: 80 },
    ],
    undefined,
    80,
  ],
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
