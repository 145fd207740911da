import assert from "node:assert/strict";
import { test } from "node:test";
import { ManualClock } from "@grpc-lb/core/testing";
import { Changes } from "./changes.ts";
import { PodWatch } from "./pod-watch.ts";

function start() {
  const clock = new ManualClock();
  const watch = new PodWatch(new Changes(clock), clock);
  const give = (
    type: string,
    name: string,
    ready = "True",
    more: { deletionTimestamp?: string; restarts?: number } = {},
  ) => {
    const { restarts = 0, ...metadata } = more;
    const status = { conditions: [{ type: "Ready", status: ready }], containerStatuses: [{ restartCount: restarts }] };
    const event = { type, object: { metadata: { name, ...metadata }, status } };
    watch.add(JSON.stringify(event));
  };
  const names = () => watch.ready.map(({ name }) => name);
  return { clock, watch, give, names };
}

test("pods that are ready take calls; those that start, terminate or are gone do not", () => {
  const { watch, give, names } = start();
  give("ADDED", "b");
  give("ADDED", "a");
  give("ADDED", "c", "False");
  assert.deepEqual(names(), ["a", "b"]);
  give("MODIFIED", "a", "True", { deletionTimestamp: "2026-01-01T00:00:00Z" });
  assert.deepEqual([names(), watch.all.length], [["b"], 3]);
  give("DELETED", "a", "False");
  assert.deepEqual(
    watch.all.map(({ name }) => name),
    ["b", "c"],
  );
});

test("a pod has the time at which it was first seen ready, and the count of its restarts", () => {
  const { clock, watch, give } = start();
  give("ADDED", "a", "False");
  clock.advance(3_000);
  give("MODIFIED", "a");
  const readyAtMs = clock.now();
  clock.advance(1_000);
  give("MODIFIED", "a", "False", { restarts: 1 });
  assert.deepEqual(watch.all, [{ name: "a", isReady: false, readyAtMs, restarts: 1 }]);
});
