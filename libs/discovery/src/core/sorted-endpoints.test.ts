import assert from "node:assert/strict";
import { test } from "node:test";
import { createRandom } from "@grpc-lb/core";
import type { Endpoint } from "./snapshot.ts";
import { SortedEndpoints } from "./sorted-endpoints.ts";

const endpoint = (id: string, zone?: string): Endpoint => ({
  id,
  addresses: [{ host: id, port: 1 }],
  weight: 1,
  zone,
  forZones: [],
  nodeName: undefined,
  metadata: {},
});
const ids = (sorted: SortedEndpoints) => sorted.all.map(({ id }) => id).join("");

test("endpoints stand in the order of their ids, however they came", () => {
  const sorted = new SortedEndpoints();
  for (const id of "dacbe") sorted.set(endpoint(id));
  assert.equal(ids(sorted), "abcde");
  for (const id of "ace") sorted.delete(id);
  sorted.set(endpoint("f"));
  sorted.set(endpoint("a"));
  assert.equal(ids(sorted), "abdf");
});

test("an array that was given away never changes; without a change it is the same one", () => {
  const sorted = new SortedEndpoints();
  sorted.set(endpoint("a"));
  const before = sorted.all;
  assert.equal(sorted.all, before);
  sorted.set(endpoint("b"));
  assert.equal(sorted.all.length, 2);
  assert.equal(before.length, 1);
});

test("changes that cancel out, or delete what is not there, are none", () => {
  const sorted = new SortedEndpoints();
  const a = endpoint("a");
  sorted.set(a);
  const before = sorted.all;
  sorted.set(endpoint("b"));
  sorted.delete("b");
  sorted.delete("nobody");
  sorted.delete("a");
  sorted.set(a);
  assert.equal(sorted.all, before);
});

test("10 000 random changes, looked at now and then, give what a map sorted each time would", () => {
  const random = createRandom(7);
  const sorted = new SortedEndpoints();
  const model = new Map<string, Endpoint>();
  for (let n = 0; n < 10_000; n++) {
    const id = `id-${Math.floor(random() * 300)}`;
    if (random() < 0.4) {
      sorted.delete(id);
      model.delete(id);
    } else {
      const one = endpoint(id, `${n}`);
      sorted.set(one);
      model.set(id, one);
    }
    if (random() < 0.05) {
      const want = [...model.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
      assert.ok(
        want.length === sorted.all.length && want.every((one, i) => one === sorted.all[i]),
        `seed 7, step ${n}`,
      );
    }
  }
});
