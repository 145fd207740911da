import assert from "node:assert/strict";
import { test } from "node:test";
import type { Child } from "../../balancer/child.ts";
import type { WeightConfig } from "../weights/weights.ts";
import type { KeyedMember } from "./key-order.ts";
import { flagsOf, TableCache } from "./table-cache.ts";

/** The part of a child that the cache reads. */
function child(index: number, address: string, weight = 1, metadata: Record<string, string> = {}): Child {
  return {
    index,
    info: { id: address, address, weight, metadata, zone: undefined, forZones: [] },
  } as unknown as Child;
}

const config: WeightConfig = { weights: new Map(), weightKey: undefined, slowStart: undefined, panicThreshold: 0 };

/** A cache whose tables are their members. */
function open() {
  const made: (readonly KeyedMember[])[] = [];
  const cache = new TableCache((members) => {
    made.push(members);
    return members;
  });
  return { cache, made };
}

test("a table is kept while keys, weights and configuration stay the same, whichever endpoints are ready", () => {
  const { cache, made } = open();
  const [a, b] = [child(0, "a:1", 2), child(1, "b:1", 3)];
  const first = cache.get([a, b], [a, b], config);
  assert.deepEqual(first, [
    { key: "a:1", weight: 2 },
    { key: "b:1", weight: 3 },
  ]);
  assert.equal(cache.get([a, b], [b], config), first);
  assert.equal(cache.get([child(0, "a:1", 2), child(1, "b:1", 3)], [a], config), first);
  assert.equal(made.length, 1);
});

test("a table is rebuilt for a different key, weight, order, number or configuration", () => {
  const all = [child(0, "a:1"), child(1, "b:1")];
  for (const { children, with: changed } of [
    { children: [child(0, "a:1"), child(1, "c:1")], with: config },
    { children: [child(0, "a:1"), child(1, "b:1", 2)], with: config },
    { children: [child(0, "b:1"), child(1, "a:1")], with: config },
    { children: [child(0, "a:1")], with: config },
    { children: [...all, child(2, "c:1")], with: config },
    { children: all, with: { ...config } },
  ]) {
    const { cache, made } = open();
    cache.get(all, all, config);
    const table = cache.get(children, children, changed);
    assert.equal(made.length, 2, JSON.stringify(children));
    assert.equal(table.length, children.length);
  }
});

test("a member's key is its metadata.hashKey, else its address", () => {
  const { cache } = open();
  const all = [child(0, "a:1", 1, { hashKey: "pod-0" }), child(1, "b:1")];
  assert.deepEqual(
    cache.get(all, all, config).map(({ key }) => key),
    ["pod-0", "b:1"],
  );
  const inherited = child(0, "a:1", 1, Object.create({ hashKey: "everybody's" }));
  assert.equal(cache.get([inherited], [inherited], config)[0]?.key, "a:1", "a key is its own");
});

test("weights of 0 apply until no other endpoint is ready", () => {
  const { cache, made } = open();
  const all = [child(0, "a:1", 5), child(1, "b:1", 0), child(2, "c:1", 0)];
  const weights = (ready: readonly Child[]) => cache.get(all, ready, config).map(({ weight }) => weight);
  assert.deepEqual(weights(all), [5, 0, 0]);
  assert.deepEqual(weights(all.slice(1)), [1, 1, 1]);
  assert.deepEqual(weights(all.slice(2)), [1, 1, 1]);
  assert.equal(made.length, 2);
  assert.deepEqual(weights(all.slice(0, 1)), [5, 0, 0]);
});

test("flagsOf marks the children that take calls", () => {
  const all = [child(0, "a:1"), child(1, "b:1"), child(2, "c:1")];
  assert.deepEqual([...flagsOf(all, [all[2] as Child, all[0] as Child])], [1, 0, 1]);
  assert.deepEqual([...flagsOf(all, [])], [0, 0, 0]);
});
