import assert from "node:assert/strict";
import { test } from "node:test";
import { type StoredEndpoint, service, slice } from "../../testing/kubernetes/slices.ts";
import { readEndpointSlice, readList, readService, readStatus, readWatchEvent } from "./reader.ts";

const good = { ...slice({ service: "s", addresses: [] }), metadata: { name: "s-1", resourceVersion: "7" } };
const of = (...endpoints: unknown[]) => readEndpointSlice({ ...good, endpoints });

test("reads the fields of a slice", () => {
  const stored = slice({
    service: "s",
    addresses: [{ address: "10.0.0.1", pod: "p", zone: "z", nodeName: "n", forZones: ["x", "y"] }, "10.0.0.2"],
  });
  assert.deepEqual(readEndpointSlice(stored), {
    name: "s-1",
    resourceVersion: undefined,
    addressType: "IPv4",
    endpoints: [
      { host: "10.0.0.1", state: "ready", uid: "uid-p", podName: "p", nodeName: "n", zone: "z", forZones: ["x", "y"] },
      {
        host: "10.0.0.2",
        state: "ready",
        uid: undefined,
        podName: undefined,
        nodeName: undefined,
        zone: undefined,
        forZones: [],
      },
    ],
    ports: [{ name: "grpc", port: 50_051, protocol: "TCP" }],
    defect: undefined,
  });
});

const endpoint = { addresses: ["10.0.0.1"] };
for (const [what, bad, defect] of [
  ["null", null, "endpoints[1] must be an object, got null"],
  ["a number", 5, "endpoints[1] must be an object, got 5"],
  ["an address that is null", { addresses: [null] }, "endpoints[1].addresses must be IPv4 addresses, got [null]"],
  ["an empty address", { addresses: [""] }, 'endpoints[1].addresses must be IPv4 addresses, got [""]'],
  ["a host name", { addresses: ["a.b"] }, 'endpoints[1].addresses must be IPv4 addresses, got ["a.b"]'],
  [
    "an address of the other family",
    { addresses: ["::1"] },
    'endpoints[1].addresses must be IPv4 addresses, got ["::1"]',
  ],
  ["addresses that are no list", { addresses: 1e308 }, "endpoints[1].addresses must be IPv4 addresses, got 1e+308"],
  [
    "ready as text",
    { ...endpoint, conditions: { ready: "yes" } },
    'endpoints[1].conditions.ready must be true or false, got "yes"',
  ],
  [
    "terminating as a number",
    { ...endpoint, conditions: { terminating: 1 } },
    "endpoints[1].conditions.terminating must be true or false, got 1",
  ],
  [
    "a uid that is true",
    { ...endpoint, targetRef: { uid: true } },
    "endpoints[1].targetRef.uid must be text, got true",
  ],
  ["a zone that is an object", { ...endpoint, zone: {} }, "endpoints[1].zone must be text, got {}"],
  ["a node that is a list", { ...endpoint, nodeName: [] }, "endpoints[1].nodeName must be text, got []"],
  [
    "zones that are no list",
    { ...endpoint, hints: { forZones: 5 } },
    "endpoints[1].hints.forZones must be a list, got 5",
  ],
] as const) {
  test(`an endpoint that is or has ${what} is left out and named, and the others are read`, () => {
    const { endpoints, defect: got } = of({ addresses: ["10.0.0.9"] }, bad);
    assert.deepEqual([endpoints.map(({ host }) => host), got], [["10.0.0.9"], defect]);
  });
}

for (const [what, fields, defect] of [
  ["a port of 1e308", { ports: [{ name: "a", port: 1e308 }] }, "ports[0].port must be from 1 to 65535, got 1e+308"],
  ["a port that is text", { ports: [{ port: "80" }] }, 'ports[0].port must be from 1 to 65535, got "80"'],
  ["a port of null", { ports: [null] }, "ports[0] must be an object, got null"],
  ["a port name that is a number", { ports: [{ name: 5, port: 80 }] }, "ports[0].name must be text, got 5"],
  ["ports that are no list", { ports: "all" }, 'ports must be a list, got "all"'],
  ["endpoints that are no list", { endpoints: {} }, "endpoints must be a list, got {}"],
  ["an unknown address type", { addressType: "MAC" }, 'addressType must be IPv4, IPv6 or FQDN, got "MAC"'],
  ["no name", { metadata: {} }, "metadata.name must be text, got nothing"],
  ["a name that is true", { metadata: { name: true } }, "metadata.name must be text, got true"],
  ["metadata of null", { metadata: null }, "metadata.name must be text, got nothing"],
] as const) {
  test(`a slice with ${what} is an error with the reason`, () => {
    assert.equal(readEndpointSlice({ ...good, endpoints: [], ...fields }).defect, defect);
  });
}

for (const value of [undefined, null, 5, "hello", [], {}]) {
  test(`${JSON.stringify(value)} is not a slice, a Service or a list, and only the reader of lists throws`, () => {
    assert.match(readEndpointSlice(value).defect ?? "", /^metadata\.name must be text/);
    assert.match(readService(value).defect ?? "", /^the answer must be a Service with a name, got /);
    assert.deepEqual(readStatus(value), { message: "", code: undefined, retryAfterSeconds: undefined });
    const expected = { name: "RangeError", message: /^the answer must be of kind EndpointSliceList, got / };
    assert.throws(() => readList(value, "EndpointSliceList", readEndpointSlice), expected);
  });
}

test("the code of a Status is a status of HTTP, or that of its reason", () => {
  for (const [status, want] of [
    [{ code: 410 }, 410],
    [{ code: 500, reason: "Expired" }, 500],
    [{ reason: "Expired" }, 410],
    [{ reason: "Gone", code: 0 }, 410],
    [{ reason: "Forbidden", code: "403" }, 403],
    [{ reason: "InternalError" }, undefined],
    [{ reason: "toString" }, undefined],
    ...[0, -1, 99, 600, 1e308, 410.5, "410", null, {}].map((code) => [{ code }, undefined] as const),
  ] as const) {
    assert.equal(readStatus(status).code, want, JSON.stringify(status));
  }
});

test("a list is a list only by its kind and its items", () => {
  const list = (fields: object) =>
    readList(
      { kind: "EndpointSliceList", apiVersion: "discovery.k8s.io/v1", items: [], ...fields },
      "EndpointSliceList",
      readEndpointSlice,
    );
  assert.deepEqual(list({ metadata: { resourceVersion: "5", continue: "t" } }), {
    items: [],
    resourceVersion: "5",
    continue: "t",
  });
  assert.deepEqual(list({ items: null }).items, [], "as Go writes an empty list");
  assert.deepEqual(list({ metadata: { resourceVersion: 5, continue: null } }), {
    items: [],
    resourceVersion: undefined,
    continue: undefined,
  });
  for (const [fields, message] of [
    [{ kind: "Status", message: "no" }, 'the answer must be of kind EndpointSliceList, got "Status: no"'],
    [{ kind: undefined, message: "proxy" }, 'the answer must be of kind EndpointSliceList, got "an object: proxy"'],
    [{ kind: "ServiceList" }, 'the answer must be of kind EndpointSliceList, got "ServiceList"'],
    [{ apiVersion: 1 }, "the apiVersion of the EndpointSliceList must be discovery.k8s.io/v1, got 1"],
    [{ apiVersion: "v1" }, 'the apiVersion of the EndpointSliceList must be discovery.k8s.io/v1, got "v1"'],
    [{ metadata: { continue: 5 } }, "metadata.continue of the EndpointSliceList must be text, got 5"],
    [{ metadata: { continue: {} } }, "metadata.continue of the EndpointSliceList must be text, got {}"],
    [{ metadata: [] }, "the metadata of the EndpointSliceList must be an object, got []"],
    [{ metadata: "5" }, 'the metadata of the EndpointSliceList must be an object, got "5"'],
    [{ items: undefined }, "the items of the EndpointSliceList must be a list, got nothing"],
    [{ items: [null] }, "metadata.name must be text, got nothing"],
    [{ items: { length: 1 } }, 'the items of the EndpointSliceList must be a list, got {"length":1}'],
  ] as const) {
    assert.throws(() => list(fields), { message }, JSON.stringify(fields));
  }
});

test("an event is one by its type; the version of a bookmark is read, and the Status of an error", () => {
  const read = (event: unknown) => readWatchEvent(JSON.stringify(event), readEndpointSlice);
  assert.deepEqual(read({ type: "BOOKMARK", object: { metadata: { resourceVersion: "9" } } }), {
    type: "BOOKMARK",
    resourceVersion: "9",
  });
  assert.deepEqual(read({ type: "BOOKMARK", object: null }), { type: "BOOKMARK", resourceVersion: undefined });
  assert.deepEqual(read({ type: "ERROR", object: { code: 410, message: "gone", details: { retryAfterSeconds: 2 } } }), {
    type: "ERROR",
    status: { code: 410, message: "gone", retryAfterSeconds: 2 },
  });
  assert.equal(read({ type: "ADDED", object: good }).type, "ADDED");
  assert.throws(() => read({ type: "ADDED", object: {} }), /^RangeError: metadata\.name must be text, got nothing$/);
  for (const event of [null, [], {}, { type: "PATCHED", object: good }, { type: 5 }]) {
    assert.throws(() => read(event), /^RangeError: the type of an event must be ADDED/);
  }
});

test("the fields of a Service are read, and those of a wrong type are ignored", () => {
  const read = readService(
    service({ name: "s", annotations: { a: "1" }, spec: { clusterIP: "None", selector: null } }),
  );
  assert.deepEqual(read, {
    name: "s",
    resourceVersion: undefined,
    type: "ClusterIP",
    externalName: undefined,
    isHeadless: true,
    hasSelector: false,
    ports: [{ name: "grpc", port: 80, protocol: "TCP" }],
    annotations: { a: "1" },
    defect: undefined,
  });
  const odd = readService({
    metadata: { name: "s", annotations: { a: 5, b: "2" } },
    spec: { ports: [{ port: -1 }], type: 7 },
  });
  assert.deepEqual([odd.annotations, odd.ports, odd.type], [{ b: "2" }, [], "ClusterIP"]);
  assert.equal(odd.defect, "spec.ports[0].port must be from 1 to 65535, got -1");
});

test("an error quotes only the start of a value", () => {
  const { defect } = of({ addresses: ["x".repeat(10_000)] });
  assert.ok((defect ?? "").length < 150, `${defect?.length} characters`);
});

test("an endpoint whose parts have another type is left out, and the defect names the part", () => {
  const endpoint = { addresses: ["10.0.0.1"] };
  for (const [part, defect] of [
    [{ conditions: [{ ready: false }] }, 'endpoints[0].conditions must be an object, got [{"ready":false}]'],
    [{ conditions: 5 }, "endpoints[0].conditions must be an object, got 5"],
    [{ conditions: "" }, 'endpoints[0].conditions must be an object, got ""'],
    [{ targetRef: 5 }, "endpoints[0].targetRef must be an object, got 5"],
    [{ hints: [] }, "endpoints[0].hints must be an object, got []"],
    [{ addresses: null }, "endpoints[0].addresses must be IPv4 addresses, got null"],
    [{ addresses: undefined }, "endpoints[0].addresses must be IPv4 addresses, got nothing"],
    [{ addresses: [] }, "endpoints[0].addresses must be IPv4 addresses, got []"],
  ] as const) {
    const read = of({ ...endpoint, ...part } as unknown as StoredEndpoint);
    assert.deepEqual([read.endpoints, read.defect], [[], defect]);
  }
  assert.equal(of([] as unknown as StoredEndpoint).defect, "endpoints[0] must be an object, got []");
});
