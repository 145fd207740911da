import assert from "node:assert/strict";
import { test } from "node:test";
import { EndpointSet } from "./endpoint-set.ts";
import type { Endpoint } from "./snapshot.ts";
import { defineSource } from "./source.ts";

const address = { host: "10.0.0.1", port: 80 };
const more = { zone: undefined, forZones: [], nodeName: undefined, metadata: {} };
const endpoint: Endpoint = { id: "a", addresses: [address], weight: 1, ...more };

const table: readonly (readonly [value: unknown, message: string])[] = [
  [undefined, "an endpoint must be an object, got nothing"],
  ["10.0.0.1:80", "an endpoint must be an object, got a string"],
  [{ addresses: [address] }, "an endpoint must have an id, a text that is not empty"],
  [{ id: "a" }, 'endpoint "a": addresses must be a list of at least one { host, port }, got nothing'],
  [
    { ...endpoint, addresses: [] },
    'endpoint "a": addresses must be a list of at least one { host, port }, got an empty list',
  ],
  [{ ...endpoint, addresses: ["h:1"] }, 'endpoint "a": an address must be an object { host, port }, got a string'],
  [{ ...endpoint, addresses: [{ port: 1 }] }, 'endpoint "a": host must be a text that is not empty, got nothing'],
  [
    { ...endpoint, addresses: [{ ...address, port: "80" }] },
    'endpoint "a": port must be a number from 1 to 65535, got a string',
  ],
  [
    { ...endpoint, addresses: [{ ...address, port: 65_536 }] },
    'endpoint "a": port must be a number from 1 to 65535, got 65536',
  ],
  [{ ...endpoint, weight: undefined }, 'endpoint "a": weight must be a number from 0 to 4294967295, got nothing'],
  [{ ...endpoint, weight: Number.NaN }, 'endpoint "a": weight must be a number from 0 to 4294967295, got NaN'],
  [{ ...endpoint, forZones: undefined }, 'endpoint "a": forZones must be a list, got nothing'],
  [{ ...endpoint, metadata: undefined }, 'endpoint "a": metadata must be an object, got nothing'],
  [{ ...endpoint, metadata: { zone: "z", shard: 1 } }, 'endpoint "a": metadata.shard must be a text, got 1'],
  [{ ...endpoint, metadata: { zone: null } }, 'endpoint "a": metadata.zone must be a text, got null'],
];

for (const [value, message] of table) {
  test(`what JavaScript may take for an endpoint is refused: ${message}`, () => {
    const set = new EndpointSet();
    set.set(endpoint);
    const { all } = set;
    assert.throws(() => set.set(value as Endpoint), { name: "TypeError", message });
    assert.throws(() => set.replaceAll([{ ...endpoint, id: "b" }, value as Endpoint]), { name: "TypeError", message });
    assert.equal(set.all, all, "nothing has changed");
  });
}

test("a list that is none is refused", () => {
  const set = new EndpointSet();
  const message = "the endpoints must be a list, got nothing";
  assert.throws(() => set.replaceAll(undefined as never), { name: "TypeError", message });
});

test("the endpoints of a source that are wrong are an error of the source, with its name", async () => {
  const source = defineSource({
    subject: "inventory server",
    key: "wrong endpoints",
    async start(store) {
      store.endpoints.replaceAll([{ ...endpoint, addresses: ["10.0.0.1:80"] } as never]);
      store.sync();
    },
  });
  for await (const { endpoints, error } of source.watch()) {
    assert.deepEqual([endpoints, error?.code], [undefined, "invalid"]);
    assert.match(error?.message ?? "", /^inventory server: endpoint "a": an address must be an object/);
    break;
  }
});

test("an id that occurs twice is an error of the source, and the last good set stays", async () => {
  const other = { ...endpoint, addresses: [{ host: "10.0.0.2", port: 80 }] };
  const source = defineSource({
    subject: "inventory server",
    key: "an id twice",
    async start(store) {
      store.endpoints.replaceAll([endpoint]);
      store.sync();
      store.endpoints.replaceAll([endpoint, other]);
      store.sync();
    },
  });
  for await (const { endpoints, error } of source.watch()) {
    if (!error) continue;
    assert.deepEqual([endpoints, error.code], [[endpoint], "invalid"]);
    assert.equal(error.message, 'inventory server: the endpoints must have each id once, got "a" twice');
    break;
  }
});

for (const [what, given, message] of [
  ["an Error", new Error("no route"), "no route"],
  ["a text", "no route", "no route"],
] as const) {
  test(`${what} that a source fails with is published as unavailable`, async () => {
    const source = defineSource({
      subject: "inventory server",
      key: `fails with ${what}`,
      start: async (store) => store.fail(given as never),
    });
    for await (const { error } of source.watch()) {
      assert.deepEqual([error?.name, error?.code, error?.message], ["DiscoveryError", "unavailable", message]);
      break;
    }
    assert.equal(source.stats.errors.unavailable, 1);
  });
}
