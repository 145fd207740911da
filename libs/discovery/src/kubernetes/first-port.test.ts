import assert from "node:assert/strict";
import { test } from "node:test";
import { slice } from "../../testing/index.ts";
import type { SlicePort } from "./endpoint-slice.ts";
import { FirstPort } from "./first-port.ts";

const of = (...ports: SlicePort[]) => slice({ service: "s", addresses: ["10.0.0.1"], ports });
const http: SlicePort = { name: "http", port: 8080 };
const grpc: SlicePort = { name: "grpc", port: 50_051, protocol: "TCP" };

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
  test(`row 13: the port that is meant without a name: ${what}`, () => {
    const port = new FirstPort();
    for (const one of slices) port.replace(undefined, one);
    assert.deepEqual(port.selector, want === undefined ? undefined : { t: "name", name: want });
    for (const one of slices) port.replace(one, undefined);
    assert.equal(port.selector, undefined, "all gone");
  });
}
