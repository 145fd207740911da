import assert from "node:assert/strict";
import { test } from "node:test";
import { type StoredPort, slice } from "../../testing/kubernetes/slices.ts";
import { describePort, describePorts, type FixedPort, mostCommonPort, type PortSelector, resolvePort } from "./port.ts";
import { type ApiPort, readEndpointSlice, readService, type Service } from "./reader.ts";

const first: PortSelector = { t: "mostCommon" };
const portsOf = (ports: readonly StoredPort[]): readonly ApiPort[] =>
  readEndpointSlice(slice({ service: "s", addresses: [], ports })).ports;
const name = (name: string): FixedPort => ({ t: "name", name });
const number = (number: number): FixedPort => ({ t: "number", number });
const two: StoredPort[] = [
  { name: "http", port: 8080, protocol: "TCP" },
  { name: "grpc", port: 50051, protocol: "TCP" },
];
const serviceOf = (...ports: { name?: string; port: number; protocol?: string }[]): Service =>
  readService({ metadata: { name: "s" }, spec: { ports } });

const cases: [string, FixedPort, StoredPort[], Service | undefined, number | undefined][] = [
  ["a name", name("grpc"), two, undefined, 50051],
  ["an unknown name", name("admin"), two, undefined, undefined],
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
  [
    "a Service without ports",
    number(80),
    two,
    readService({ metadata: { name: "s" }, spec: { ports: null } }),
    undefined,
  ],
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
cases.push(
  ["any number, of a headless Service without ports", number(50_051), [], serviceOf(), 50_051],
  [
    "no number for a slice without ports whose Service has ports",
    number(80),
    [],
    serviceOf({ name: "a", port: 80 }),
    undefined,
  ],
);
for (const [what, selector, ports, service, want] of cases) {
  test(`resolves ${what}`, () => assert.equal(resolvePort(selector, portsOf(ports), service), want));
}

test("ports are formatted with name and number, each once", () => {
  assert.equal(describePorts(portsOf([...two, ...two])), "grpc (50051), http (8080)");
  assert.equal(
    describePorts(portsOf([{ port: 80 }, { name: "any", port: null }, { name: "dns", port: 53, protocol: "UDP" }])),
    "80, any (any), dns (53 UDP)",
  );
  assert.equal(describePorts([]), "none");
  assert.deepEqual([name("a"), number(1), first].map(describePort), ['port "a"', "port 1", "port"]);
});

const of = (...ports: StoredPort[]) => slice({ service: "s", addresses: ["10.0.0.1"], ports });
const http: StoredPort = { name: "http", port: 8080 };
const grpc: StoredPort = { name: "grpc", port: 50_051, protocol: "TCP" };

for (const [what, slices, want] of [
  ["none without slices", [], undefined],
  ["none without ports", [of(), { ...of(), ports: null }], undefined],
  ["the first by name, whatever the slice's order", [of(http, grpc)], "grpc"],
  ["the first by name, in the other order", [of(grpc, http)], "grpc"],
  ["the one that all have", [of(http), of(grpc, http)], "http"],
  ["the one that most have", [of(grpc), of(http), of(http)], "http"],
  ["the first by name of those that no slice shares", [of(http), of(grpc)], "grpc"],
  ["one without a name", [of({ name: "", port: 80 })], ""],
  ["one with null for a name", [of({ name: null, port: 80 })], ""],
  ["UDP does not count", [of({ name: "a", port: 53, protocol: "UDP" }, http)], "http"],
  ["one without a number cannot be dialled", [of({ name: "any", port: null })], undefined],
  ["a name that a slice has twice counts once", [of(http, http), of(grpc)], "grpc"],
  ["slices without endpoints have no say", [of(http), { ...of(grpc), endpoints: [] }], "http"],
  ["nor have FQDN slices", [of(http), { ...of(grpc), addressType: "FQDN" as const }], "http"],
] as const) {
  test(`the most common port of slices is ${what}`, () => {
    const port = mostCommonPort(slices.map(readEndpointSlice));
    assert.deepEqual(port, want === undefined ? undefined : { t: "name", name: want });
  });
}
