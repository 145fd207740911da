import assert from "node:assert/strict";
import { test } from "node:test";
import { explain } from "./rollout.ts";

const revision = (number: string) => ({ "deployment.kubernetes.io/revision": number });
const deployment = (conditions: object[] = [], observedGeneration = 2) => ({
  kind: "Deployment",
  metadata: { name: "server", generation: 2, annotations: revision("2") },
  status: { observedGeneration, conditions },
});
const replicaSet = (number: string) => ({
  kind: "ReplicaSet",
  metadata: { name: `server-${number}`, annotations: revision(number), labels: { "pod-template-hash": number } },
});
const pod = (number: string, waiting: object | null, conditions: object[] = []) => ({
  kind: "Pod",
  metadata: { name: `server-${number}-x`, labels: { "pod-template-hash": number } },
  status: { containerStatuses: [{ name: "server", state: waiting === null ? {} : { waiting } }], conditions },
});
const rolling = [deployment(), replicaSet("1"), replicaSet("2")];
const notReady = { type: "Ready", status: "False", reason: "ContainersNotReady" };

test("a pod whose image cannot be pulled is stuck, with advice", () => {
  const trouble = explain("server", [
    ...rolling,
    pod("2", { reason: "ImagePullBackOff", message: "Back-off" }, [notReady]),
  ]);
  assert.equal(trouble?.text, "pod server-2-x: ImagePullBackOff: Back-off");
  assert.equal(trouble?.stuck, true);
  assert.match(trouble?.advice ?? "", /kube-load/);
});

test("pods of an older replica set are ignored: this rollout may replace them", () => {
  assert.equal(explain("server", [...rolling, pod("1", { reason: "CrashLoopBackOff" })]), null);
});

test("a starting pod is not trouble; a pod that is not ready is reported if nothing is worse", () => {
  assert.equal(explain("server", [...rolling, pod("2", { reason: "ContainerCreating" })]), null);
  const trouble = explain("server", [...rolling, pod("2", null, [notReady])]);
  assert.deepEqual([trouble?.text, trouble?.stuck], ["pod server-2-x: started, but not ready yet", false]);
});

test("the reason for rejected pods comes from the deployment", () => {
  const refused = { type: "ReplicaFailure", status: "True", message: "pods are forbidden: exceeded quota" };
  const trouble = explain("server", [deployment([refused]), replicaSet("2")]);
  assert.deepEqual(trouble, { text: "pods are forbidden: exceeded quota", stuck: true });
});

test("a status from before the controller saw the change is ignored", () => {
  const refused = { type: "ReplicaFailure", status: "True", message: "forbidden" };
  assert.equal(explain("server", [deployment([refused], 1), replicaSet("2")]), null);
});

test("of a daemon set the pods of its newest generation count, with advice about the image", () => {
  const daemonSet = {
    kind: "DaemonSet",
    metadata: { name: "host-proxy", generation: 4, annotations: { "deprecated.daemonset.template.generation": "2" } },
    status: { observedGeneration: 4 },
  };
  const podOf = (generation: string) => ({
    kind: "Pod",
    metadata: { name: `host-proxy-${generation}`, labels: { "pod-template-generation": generation } },
    status: { containerStatuses: [{ name: "host-proxy", state: { waiting: { reason: "ErrImagePull" } } }] },
  });
  assert.equal(explain("host-proxy", [daemonSet, podOf("1")]), null);
  const trouble = explain("host-proxy", [daemonSet, podOf("1"), podOf("2")]);
  assert.equal(trouble?.text, "pod host-proxy-2: ErrImagePull");
  assert.match(trouble?.advice ?? "", /ENVOY_IMAGE/);
});
