import assert from "node:assert/strict";
import { isIP } from "node:net";
import { test } from "node:test";
import { ManualClock } from "@grpc-lb/core/testing";
import fc from "fast-check";
import { assertValidEndpoint } from "../../testing/endpoint.ts";
import { assertBounded, mutated } from "../../testing/fuzz.ts";
import { service, slice } from "../../testing/kubernetes/slices.ts";
import { SnapshotStore } from "../core/snapshot-store.ts";
import { PortView } from "./port-view.ts";
import { type EndpointSlice, readEndpointSlice, readList, readService, readStatus, readWatchEvent } from "./reader.ts";

/** Values that a field may have, right and wrong ones. */
const leaf = fc.oneof(
  fc.constantFrom("10.0.0.1", "fd00::1", "FD00:0::1", "TCP", "UDP", "grpc", "IPv4", "IPv6", "FQDN", ""),
  fc.constantFrom(null, true, false, 0, -1, 80, 65_536, 1e308, Number.NaN),
  fc.string({ maxLength: 5 }),
);
const { tree } = fc.letrec((tie) => ({
  tree: fc.oneof(
    { depthSize: "small" },
    leaf,
    fc.array(tie("tree"), { maxLength: 3 }),
    fc.dictionary(
      fc.constantFrom(
        "addresses",
        "conditions",
        "ready",
        "serving",
        "terminating",
        "targetRef",
        "uid",
        "name",
        "zone",
        "hints",
      ),
      tie("tree"),
      { maxKeys: 4 },
    ),
  ),
}));
const maybe = (right: fc.Arbitrary<unknown>) => fc.oneof({ weight: 4, arbitrary: right }, tree);
const endpoint = fc.record(
  {
    addresses: maybe(fc.array(maybe(fc.constantFrom("10.0.0.1", "10.0.0.2", "fd00::1")), { maxLength: 2 })),
    conditions: maybe(fc.dictionary(fc.constantFrom("ready", "serving", "terminating"), maybe(fc.boolean()))),
    targetRef: maybe(fc.record({ uid: maybe(fc.constantFrom("a", "b")), name: maybe(fc.constant("p")) })),
    zone: maybe(fc.constant("z")),
    hints: tree,
  },
  { requiredKeys: [] },
);
const anySlice = fc.record(
  {
    metadata: maybe(
      fc.record({ name: maybe(fc.constantFrom("s-1", "s-2")), resourceVersion: maybe(fc.constant("1")) }),
    ),
    addressType: maybe(fc.constantFrom("IPv4", "IPv6", "FQDN")),
    endpoints: maybe(fc.array(maybe(endpoint), { maxLength: 4 })),
    ports: maybe(
      fc.array(maybe(fc.record({ name: fc.constant("grpc"), port: maybe(fc.integer({ min: 1, max: 65_535 })) }))),
    ),
  },
  { requiredKeys: [] },
);

function assertSlice(read: EndpointSlice): void {
  assert.equal(typeof read.name, "string");
  for (const { host, state, uid, zone, nodeName, podName, forZones } of read.endpoints) {
    assert.ok(read.addressType === "FQDN" || isIP(host) === (read.addressType === "IPv4" ? 4 : 6), host);
    assert.ok(["ready", "draining", "ended"].includes(state));
    for (const text of [uid, zone, nodeName, podName, ...forZones])
      assert.ok(text === undefined || typeof text === "string");
  }
  for (const { name, port, protocol } of read.ports) {
    assert.deepEqual([typeof name, typeof protocol], ["string", "string"]);
    assert.ok(port === undefined || (Number.isInteger(port) && port >= 1 && port <= 65_535), String(port));
  }
  assert.ok((read.defect ?? "").length < 300, read.defect);
}

test("any slice gives endpoints that satisfy the types", () => {
  assertBounded(
    fc.property(fc.oneof(anySlice, tree), (value) => assertSlice(readEndpointSlice(value))),
    2_000,
  );
});

test("after any changes of slices each snapshot has valid endpoints, one for each address", () => {
  const steps = fc.array(fc.tuple(fc.constantFrom("s-1", "s-2", "s-3"), fc.option(anySlice)), { maxLength: 8 });
  assertBounded(
    fc.property(steps, fc.constantFrom("mostCommon", "name", "number"), (changes, t) => {
      const store = new SnapshotStore("service default/s", new ManualClock());
      const slices = new Map<string, EndpointSlice>();
      const nothing = { service: undefined, notFoundError: undefined, serviceError: undefined, defect: undefined };
      const watch = { known: { ...nothing, slices, isSynced: true }, refreshService() {} };
      const port = t === "name" ? { t, name: "grpc" } : t === "number" ? { t, number: 80 } : { t };
      const view = new PortView(watch, store, { port: port as never, preferredFamily: "IPv4", onUnmapped() {} });
      for (const [name, value] of changes) {
        if (value) slices.set(name, readEndpointSlice(value));
        else slices.delete(name);
        view.onSlice(name, slices.get(name));
        view.onSettled(true);
        const endpoints = store.latest?.endpoints ?? [];
        for (const one of endpoints) assertValidEndpoint(one);
        const addresses = endpoints.flatMap((one) => one.addresses.map(({ host, port }) => `${host} ${port}`));
        assert.equal(new Set(addresses).size, addresses.length, "each address once");
      }
    }),
    500,
  );
});

test("no Service or Status makes its reader throw", () => {
  assertBounded(
    fc.property(
      fc.oneof(tree, fc.record({ metadata: tree, spec: tree, message: tree, code: tree, details: tree })),
      (value) => {
        const { name, ports, annotations } = readService(value);
        assert.equal(typeof name, "string");
        assert.ok(ports.every(({ port }) => port === undefined || Number.isInteger(port)));
        assert.ok(Object.values(annotations).every((text) => typeof text === "string"));
        const { message, code } = readStatus(value);
        assert.equal(typeof message, "string");
        assert.ok(code === undefined || (code >= 100 && code <= 599), `code ${code}`);
      },
    ),
    2_000,
  );
});

test("any list or line of a watch is read or refused with a short error", () => {
  const list = {
    kind: "EndpointSliceList",
    apiVersion: "discovery.k8s.io/v1",
    metadata: {},
    items: [slice({ service: "s", addresses: ["10.0.0.1"] })],
  };
  const event = { type: "MODIFIED", object: service({ name: "s" }) };
  const texts = mutated(fc.constantFrom(JSON.stringify(list), JSON.stringify(event)));
  assertBounded(
    fc.property(texts, (text) => {
      for (const read of [
        () => readList(JSON.parse(text), "EndpointSliceList", readEndpointSlice).items.forEach(assertSlice),
        () => readWatchEvent(text, readEndpointSlice),
      ]) {
        try {
          read();
        } catch (error) {
          assert.match((error as Error).name, /^(SyntaxError|RangeError)$/, String(error));
          assert.ok((error as Error).message.length < 400, (error as Error).message);
        }
      }
    }),
    2_000,
  );
});
