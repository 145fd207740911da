import assert from "node:assert/strict";
import { test } from "node:test";
import { endpoint } from "../../testing/fake-channel.ts";
import type { GrpcEndpoint } from "../grpc-js.ts";
import { hasSameAddresses, mergeEndpoints, readEndpointInfo } from "./endpoint-info.ts";

const v4 = { host: "10.0.0.1", port: 80 };
const v6 = { host: "fd00::1", port: 80 };
const other = { host: "10.0.0.2", port: 80 };

/** An endpoint as discovery hands it on. */
const found = (id: string, ...addresses: GrpcEndpoint["addresses"]): GrpcEndpoint =>
  ({ ...endpoint("10.9.9.9:80", { id }), addresses }) as GrpcEndpoint;

test("readEndpointInfo reads what discovery has attached", () => {
  const info = { id: "uid", weight: 7, zone: "a", forZones: ["a", "b"], metadata: { podName: "web-0" } };
  assert.deepEqual(readEndpointInfo(endpoint("10.0.0.1:80", info)), { ...info, address: "10.0.0.1:80" });
});

test("an endpoint of another resolver is identified by its addresses and has a weight of 1", () => {
  const nothingElse = { weight: 1, zone: undefined, forZones: [], metadata: {} };
  assert.deepEqual(readEndpointInfo({ addresses: [v4, v6] }), {
    id: "[10.0.0.1:80, [fd00::1]:80]",
    address: "10.0.0.1:80",
    ...nothingElse,
  });
  assert.equal(readEndpointInfo({ addresses: [v6] }).address, "[fd00::1]:80", "IPv6 stands in brackets");
  assert.equal(readEndpointInfo({ addresses: [{ path: "/run/web.sock" }] }).address, "/run/web.sock");
  assert.equal(readEndpointInfo({ addresses: [] }).address, "");
});

test("endpoints have the same addresses when all are equal and in the same order", () => {
  const path = { path: "/run/web.sock" };
  for (const [a, b, want] of [
    [[v4], [{ ...v4 }], true],
    [[v4, v6], [{ ...v4 }, { ...v6 }], true],
    [[path], [{ ...path }], true],
    [[], [], true],
    [[v4], [other], false],
    [[v4], [{ ...v4, port: 81 }], false],
    [[v4, v6], [v6, v4], false],
    [[v4, v6], [v4], false],
    [[v4], [v4, v6], false],
    [[v4], [path], false],
    [[path], [v4], false],
    [[path], [{ path: "/run/other.sock" }], false],
  ] as const) {
    assert.equal(hasSameAddresses({ addresses: [...a] }, { addresses: [...b] }), want, JSON.stringify([a, b]));
  }
});

const merges: readonly [string, readonly GrpcEndpoint[], Record<string, GrpcEndpoint["addresses"]>][] = [
  ["endpoints stay apart, in their order", [found("b", other), found("a", v4)], { b: [other], a: [v4] }],
  [
    "the same id makes one, with the addresses of both",
    [found("a", v4), found("b", other), found("a", v6)],
    { a: [v4, v6], b: [other] },
  ],
  ["an endpoint that is given twice is one", [found("a", v4), found("a", v4)], { a: [v4] }],
  [
    "an address that is known is not taken again",
    [found("a", v4, v6), found("a", v4), found("a", v6, other)],
    { a: [v4, v6, other] },
  ],
  ["an endpoint without an address is left out", [found("a"), found("b", v4), found("b")], { b: [v4] }],
  [
    "endpoints of another resolver are one when their addresses are",
    [{ addresses: [v4] }, { addresses: [v4] }, { addresses: [v4, v6] }],
    { "[10.0.0.1:80]": [v4], "[10.0.0.1:80, [fd00::1]:80]": [v4, v6] },
  ],
];

for (const [what, endpoints, want] of merges) {
  test(`mergeEndpoints: ${what}`, () => {
    const got = [...mergeEndpoints(endpoints)].map(([id, { addresses }]) => [id, addresses]);
    assert.deepEqual(got, Object.entries(want));
  });
}

test("a single endpoint is not copied, and merged endpoints keep what discovery has attached", () => {
  const alone = found("a", v4);
  assert.equal(mergeEndpoints([alone]).get("a"), alone);
  const merged = mergeEndpoints([endpoint("10.0.0.1:80", { id: "a", weight: 3 }), found("a", v6)]).get("a");
  assert.equal(merged && readEndpointInfo(merged).weight, 3);
});
