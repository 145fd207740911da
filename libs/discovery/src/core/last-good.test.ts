import assert from "node:assert/strict";
import { test } from "node:test";
import { DiscoveryError } from "./discovery-error.ts";
import { LastGood } from "./last-good.ts";
import { Latest } from "./latest.ts";
import type { Endpoint, Snapshot } from "./snapshot.ts";

const endpoint = (id: string, weight = 1): Endpoint => ({
  id,
  addresses: [{ host: id, port: 80 }],
  weight,
  zone: undefined,
  forZones: [],
  nodeName: undefined,
  metadata: {},
});

function start() {
  const latest = new Latest<Snapshot>();
  let published = 0;
  const set = latest.set.bind(latest);
  latest.set = (value) => {
    published += 1;
    set(value);
  };
  return { latest, good: new LastGood("test", latest), published: () => published };
}

test("an equal set is not published again, and an endpoint that stayed is the same object", () => {
  const { latest, good, published } = start();
  good.set({ endpoints: [endpoint("a"), endpoint("b")], atMs: 1 });
  const first = latest.value;
  good.set({ endpoints: [endpoint("a"), endpoint("b")], atMs: 2 });
  assert.deepEqual([published(), latest.value === first], [1, true]);
  good.set({ endpoints: [endpoint("b"), endpoint("a", 2)], atMs: 3 });
  assert.equal(published(), 2);
  assert.equal(latest.value?.endpoints?.[0], first?.endpoints?.[1]);
  assert.notEqual(latest.value?.endpoints?.[1], first?.endpoints?.[0]);
  good.set({ endpoints: [endpoint("b"), endpoint("a", 2)], atMs: 4, serviceConfig: "{}" });
  assert.deepEqual([published(), latest.value?.serviceConfig], [3, "{}"]);
});

test("an error leaves the last good set and its time, and is published once; the next set takes it away", () => {
  const { latest, good, published } = start();
  good.fail(new DiscoveryError("unavailable", "away"));
  assert.deepEqual([latest.value?.endpoints, latest.value?.error?.message], [undefined, "away"]);
  good.set({ endpoints: [endpoint("a")], atMs: 1, serviceConfig: "{}" });
  assert.equal(latest.value?.error, undefined);
  for (let n = 0; n < 3; n++) good.fail(new DiscoveryError("unavailable", "away again"));
  const { endpoints, lastSyncMs, serviceConfig, error } = latest.value ?? {};
  assert.deepEqual([endpoints?.length, lastSyncMs, serviceConfig, error?.message], [1, 1, "{}", "away again"]);
  assert.equal(published(), 3);
  good.set({ endpoints: [endpoint("a")], atMs: 2, serviceConfig: "{}" });
  assert.deepEqual([published(), latest.value?.error], [4, undefined]);
});

test("an empty set that comes first is news", () => {
  const { latest, good, published } = start();
  good.set({ endpoints: [], atMs: 1 });
  assert.deepEqual([published(), latest.value?.endpoints], [1, []]);
});
