import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeSource } from "../testing/fake-source.ts";
import { LazySource } from "./lazy-source.ts";

test("it is loaded with the first watch, once, and then says what the source says", async () => {
  const source = new FakeSource();
  source.setEndpoints([]);
  let loads = 0;
  const lazy = new LazySource("static:///a:1", async () => {
    loads += 1;
    return source;
  });
  assert.deepEqual([loads, lazy.subject, lazy.stats], [0, "static:///a:1", undefined]);
  for (let n = 0; n < 2; n++) {
    for await (const { subject } of lazy.watch()) {
      assert.equal(subject, "service default/server");
      break;
    }
  }
  assert.deepEqual([loads, source.watches, source.openWatches], [1, 2, 0]);
});

test("what cannot be loaded is thrown, and loaded again with the next watch", async () => {
  let loads = 0;
  const lazy = new LazySource("etcd://a/b", async () => {
    loads += 1;
    throw new Error("Cannot find package");
  });
  for (let n = 0; n < 2; n++) await assert.rejects(lazy.watch().next(), /^Error: Cannot find package$/);
  assert.equal(loads, 2);
});

test("a watch that is aborted while it is loaded begins none", async () => {
  const source = new FakeSource();
  const controller = new AbortController();
  const lazy = new LazySource("static:///a:1", async () => {
    controller.abort();
    return source;
  });
  assert.deepEqual(await lazy.watch(controller.signal).next(), { done: true, value: undefined });
  assert.equal(source.watches, 0);
});
