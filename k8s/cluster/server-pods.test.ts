import assert from "node:assert/strict";
import { test } from "node:test";
import { readyPods } from "./server-pods.ts";

const pod = (name: string, ready: string, deletionTimestamp?: string) => ({
  metadata: { name, ...(deletionTimestamp ? { deletionTimestamp } : {}) },
  status: { conditions: [{ type: "Ready", status: ready, lastTransitionTime: "2026-01-01T00:00:07Z" }] },
});

test("the pods that are ready and not terminating take calls, in the order of their names", () => {
  const pods = [pod("b", "True"), pod("c", "False"), pod("d", "True", "2026-01-01T00:00:09Z"), pod("a", "True")];
  const readyAtMs = Date.UTC(2026, 0, 1, 0, 0, 7);
  assert.deepEqual(readyPods([...pods, { metadata: { name: "e" }, status: {} }]), [
    { name: "a", readyAtMs },
    { name: "b", readyAtMs },
  ]);
});
