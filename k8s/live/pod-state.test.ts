import assert from "node:assert/strict";
import { test } from "node:test";
import { type ApiServerPod, describePod, type LivePod, reconcile } from "./pod-state.ts";

const pod = (name: string, ready: string, more: Partial<ApiServerPod["metadata"]> = {}): ApiServerPod => ({
  metadata: { name, labels: { "topology.kubernetes.io/zone": "z1" }, ...more },
  spec: { nodeName: "n1" },
  status: { phase: "Running", conditions: [{ type: "Ready", status: ready }] },
});

test("the state of a pod follows its conditions, its deletion and its end", () => {
  const stateOf = (item: ApiServerPod, wasReady = false) => describePod(item, wasReady).state;
  assert.equal(stateOf({ metadata: { name: "a" } }), "added");
  assert.equal(stateOf(pod("a", "False")), "added");
  assert.equal(stateOf(pod("a", "False"), true), "unready");
  assert.equal(stateOf(pod("a", "True")), "ready");
  assert.equal(stateOf(pod("a", "True", { deletionTimestamp: "2026-01-01T00:00:00Z" })), "draining");
  assert.equal(stateOf({ ...pod("a", "False"), status: { phase: "Failed" } }), "gone");
  assert.deepEqual(describePod(pod("a", "True"), false), { pod: "a", state: "ready", node: "n1", zone: "z1" });
});

test("a list also tells of the pods that are not in it, once", () => {
  const place = { node: "n1", zone: "z1" };
  const known = new Map<string, LivePod>([
    ["a", { pod: "a", state: "ready", ...place }],
    ["b", { pod: "b", state: "ready", ...place }],
    ["c", { pod: "c", state: "gone", ...place }],
  ]);
  assert.deepEqual(reconcile(known, [pod("b", "False"), pod("d", "False")]), [
    { pod: "a", state: "gone", ...place },
    { pod: "b", state: "unready", ...place },
    { pod: "d", state: "added", ...place },
  ]);
});
