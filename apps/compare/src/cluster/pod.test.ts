import assert from "node:assert/strict";
import { test } from "node:test";
import { chooseClient, describeServer, readPod, type ServerPod } from "./pod.ts";

const pod = (name: string, ready: string, metadata: object = {}, status: object = {}) =>
  readPod({
    metadata: { name, labels: { app: "server", "topology.kubernetes.io/zone": "z1" }, ...metadata },
    spec: { nodeName: "n1" },
    status: { phase: "Running", conditions: [{ type: "Ready", status: ready }], ...status },
  });

test("the state of a server's pod follows its conditions, its deletion and its end", () => {
  const before = (state: ServerPod["state"]) => ({ pod: "a", state, node: "n1", zone: "z1" });
  const deleted = { deletionTimestamp: "2026-01-01T00:00:00Z" };
  for (const [got, was, state] of [
    [readPod({ metadata: { name: "a" } }), undefined, "added"],
    [pod("a", "False"), undefined, "added"],
    [pod("a", "False"), before("added"), "added"],
    [pod("a", "False"), before("ready"), "unready"],
    [pod("a", "False"), before("unready"), "unready"],
    [pod("a", "True"), before("added"), "ready"],
    [pod("a", "True", deleted), before("ready"), "draining"],
    [pod("a", "False", {}, { phase: "Failed" }), before("ready"), "gone"],
  ] as const) {
    assert.equal(describeServer(got, was).state, state);
  }
  assert.deepEqual(describeServer(pod("a", "True"), undefined), before("ready"));
});

test("a client's pod is the newest started one that is not terminating, else the newest that is starting", () => {
  const client = (name: string, at: string, container: object | null, metadata: object = {}) =>
    readPod({
      metadata: { name, labels: { app: "client-grpc" }, creationTimestamp: at, ...metadata },
      status: { phase: "Pending", ...(container && { containerStatuses: [{ name: "client-grpc", ...container }] }) },
    });
  const old = client("old", "2026-01-01T00:00:01Z", { restartCount: 0, state: { running: {} } });
  const crashing = client("crashing", "2026-01-01T00:00:02Z", { restartCount: 2, state: { waiting: { reason: "X" } } });
  const pulling = client("pulling", "2026-01-01T00:00:03Z", { state: { waiting: { reason: "ErrImagePull" } } });
  const pending = client("pending", "2026-01-01T00:00:04Z", null);
  const going = client("going", "2026-01-01T00:00:05Z", { state: { running: {} } }, { deletionTimestamp: "now" });
  const choose = (...pods: ReturnType<typeof readPod>[]) => {
    const found = chooseClient(pods, "client-grpc");
    return found && [found.name, found.starting];
  };
  assert.deepEqual(choose(old, crashing, pulling, pending, going), ["crashing", ""]);
  assert.deepEqual(choose(old, pulling), ["old", ""]);
  assert.deepEqual(choose(pulling, pending), ["pending", "Pending"]);
  assert.deepEqual(choose(pulling, going), ["pulling", "ErrImagePull"]);
  assert.equal(choose(going), undefined);
});

test("a pod that cannot be read has empty fields, and a defect if it has no name", () => {
  for (const value of [null, "pod", [], { metadata: [], status: { conditions: 1, containerStatuses: [null] } }]) {
    const { name, defect, node, isReady } = readPod(value);
    assert.deepEqual([name, defect, node, isReady], ["", "a pod must have a name", "", false]);
  }
});
