import assert from "node:assert/strict";
import { test } from "node:test";
import { type ApiPod, chooseClientPod, readClientPods } from "./client-pod.ts";

const pod = (name: string, created: string, waiting?: string, restartCount = 0, deleted = false): ApiPod => ({
  metadata: { name, creationTimestamp: created, ...(deleted ? { deletionTimestamp: "x" } : {}) },
  status: {
    phase: "Running",
    containerStatuses: [
      { name: "istio-proxy", restartCount: 9, state: {} },
      { name: "c", restartCount, state: waiting === undefined ? {} : { waiting: { reason: waiting } } },
    ],
  },
});

test("the newest started pod is chosen over one that is still starting", () => {
  const pods = [pod("old", "1"), pod("new", "2", "ContainerCreating"), pod("older", "0")];
  assert.deepEqual(chooseClientPod("c", pods), { name: "old", restarts: 0, starting: null });
});

test("a terminating pod is not chosen", () => {
  assert.equal(chooseClientPod("c", [pod("a", "1"), pod("b", "2", undefined, 0, true)])?.name, "a");
  assert.equal(chooseClientPod("c", [pod("b", "2", undefined, 0, true)]), null);
});

test("a pod that was evicted is not chosen", () => {
  const evicted: ApiPod = { metadata: { name: "b", creationTimestamp: "2" }, status: { phase: "Failed" } };
  assert.equal(chooseClientPod("c", [pod("a", "1"), evicted])?.name, "a");
  assert.deepEqual(
    readClientPods("c", [pod("a", "1"), evicted, pod("c", "3")]).map(({ name }) => name),
    ["c", "a"],
  );
});

test("while no pod has started, the result has the reason", () => {
  assert.equal(chooseClientPod("c", [pod("a", "1", "ImagePullBackOff")])?.starting, "ImagePullBackOff");
  const unscheduled = { metadata: { name: "a", creationTimestamp: "1" }, status: { phase: "Pending" } };
  assert.equal(chooseClientPod("c", [unscheduled])?.starting, "Pending");
});

test("a pod that crashed has logs", () => {
  assert.equal(chooseClientPod("c", [pod("a", "1", "CrashLoopBackOff", 2)])?.starting, null);
});
