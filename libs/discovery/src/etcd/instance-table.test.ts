import assert from "node:assert/strict";
import { test } from "node:test";
import { createRandom } from "@grpc-lb/core";
import type { Endpoint } from "../core/snapshot.ts";
import { InstanceTable } from "./instance-table.ts";

const endpoint = (id: string, port: number, weight = 1): Endpoint => ({
  id,
  addresses: [{ host: "10.0.0.1", port }],
  weight,
  zone: undefined,
  forZones: [],
  nodeName: undefined,
  metadata: {},
});

test("what says nothing new changes nothing, not even the list", () => {
  const table = new InstanceTable();
  table.set(endpoint("a", 1));
  const { endpoints } = table;
  table.set(endpoint("a", 1));
  table.delete("b");
  assert.equal(table.endpoints, endpoints);
  table.set(endpoint("a", 1, 2));
  assert.notEqual(table.endpoints, endpoints);
});

test("a key that is the prefix itself is one like the others", () => {
  const table = new InstanceTable();
  table.set(endpoint("", 1));
  table.set(endpoint("a", 2));
  table.delete("a");
  assert.deepEqual(table.endpoints, [endpoint("", 1)]);
  table.set(endpoint("b", 1, 2));
  table.delete("b");
  assert.deepEqual(table.endpoints, [endpoint("", 1)]);
});

test("whatever comes and goes, it is the keys' last words: each address once, by the newest, in the order of the keys", () => {
  const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 32));
  const random = createRandom(seed);
  const pick = (count: number) => Math.floor(random() * count);
  const table = new InstanceTable();
  const model = new Map<string, Endpoint>(); // in the order of the last change
  for (let step = 0; step < 2_000; step++) {
    const key = `k${pick(12)}`;
    if (random() < 0.4) {
      table.delete(key);
      model.delete(key);
    } else {
      const next = endpoint(key, pick(6), pick(3));
      const before = model.get(key);
      table.set(next);
      if (before && JSON.stringify(before) === JSON.stringify(next)) continue;
      model.delete(key);
      model.set(key, next);
    }
    const byPort = new Map([...model.values()].map((each) => [each.addresses[0]?.port, each]));
    const wanted = [...byPort.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
    assert.deepEqual(table.endpoints, wanted, `SEED=${seed}, step ${step}`);
    assert.equal(table.size, model.size);
  }
});
