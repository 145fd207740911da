/**
 * The components `etcd-backup` and `etcd-restore` on a real cluster: a snapshot by the CronJob, a lost etcd, and one that starts from the
 * snapshot with the keys of before, while clients call.
 */
import assert from "node:assert/strict";
import { chmodSync, mkdirSync, rmSync } from "node:fs";
import { test } from "node:test";
import { createKubectl } from "../cluster/kubectl.ts";
import { nextCalls } from "./client.ts";
import { buildEtcdTools } from "./etcd-tools.ts";
import { buildImages } from "./images.ts";
import { makeFails, makeOk } from "./make.ts";
import { programImage } from "./program-image.ts";
import { findSandbox } from "./sandbox.ts";
import { readyServersOf } from "./server.ts";
import { beginStory, type Step } from "./story.ts";

const { namespace, kubectl, inNamespace, step, report, stopAtEnd, setCallInterval, requireNoErrors } =
  await beginStory("backup");
const isSandbox = (await findSandbox(kubectl)) !== undefined;
const tools = isSandbox ? await buildEtcdTools() : [];
const found =
  typeof tools === "string"
    ? { image: null, why: `cannot build etcdctl: ${tools}` }
    : await programImage(kubectl, "etcd", tools);
const variables = {
  ...inNamespace,
  STRATEGY: "etcd",
  ...(found.image && { ETCD_IMAGE: found.image }),
};

function etcdStep(what: string, body: Step): void {
  if (found.image === null) test(what, { skip: found.why }, () => {});
  else step(what, body);
}

const etcdctl = (...args: string[]) => kubectl.run(["exec", "deployment/etcd", "--", "etcdctl", ...args]);
const readValue = async (key: string) => (await etcdctl("get", key, "--print-value-only")).trim();
const readRevision = async () => JSON.parse(await etcdctl("get", "nothing", "-w", "json")).header.revision as number;

/** The sandbox has no StorageClass: a volume on a node's disk, for this claim alone. */
async function provideVolume(): Promise<void> {
  const cluster = await createKubectl("default");
  const path = `/var/tmp/${namespace}`;
  mkdirSync(path);
  chmodSync(path, 0o777); // the kubelet gives the pod's group no right on a hostPath
  const [node] = (await cluster.get(["nodes"])).items;
  const hostname = { key: "kubernetes.io/hostname", operator: "In", values: [node.metadata.name] };
  const volume = {
    apiVersion: "v1",
    kind: "PersistentVolume",
    metadata: { name: namespace },
    spec: {
      capacity: { storage: "1Gi" },
      accessModes: ["ReadWriteOnce"],
      persistentVolumeReclaimPolicy: "Retain",
      claimRef: { namespace, name: "etcd-backup" },
      hostPath: { path },
      nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions: [hostname] }] } },
    },
  };
  await cluster.run(["create", "-f", "-"], { input: JSON.stringify(volume) });
  stopAtEnd({
    async stop() {
      await cluster.run(["delete", "pv", namespace, "--wait=false"]);
      rmSync(path, { recursive: true, force: true });
    },
  });
}

etcdStep("a CronJob takes a snapshot on the volume, through the network policies", async (t) => {
  await buildImages();
  const restore = { ...variables, COMPONENTS: "etcd-restore" };
  report(t, await makeFails("kube-deploy", restore, /COMPONENTS=etcd-restore needs etcd-backup too/));
  if (isSandbox) await provideVolume();
  await makeOk("kube-deploy", { ...variables, COMPONENTS: "etcd-backup,network-policy" });
  await setCallInterval("50ms");
  await etcdctl("put", "config/limit", "42");
  await kubectl.run(["create", "job", "--from=cronjob/etcd-backup", "etcd-backup-now"]);
  await kubectl.run(["wait", "--for=condition=Complete", "job/etcd-backup-now", "--timeout=120s"]);
  report(t, (await kubectl.run(["logs", "job/etcd-backup-now", "--tail=1"])).trim());
});

etcdStep("etcd loses its data: the servers register again, and the key is gone", async (t) => {
  await kubectl.run(["rollout", "restart", "deployment/etcd"]);
  await kubectl.run(["rollout", "status", "deployment/etcd", "--timeout=120s"]);
  await nextCalls(kubectl, "client-grpc", 100);
  assert.equal(await readValue("config/limit"), "");
  await requireNoErrors(t);
});

etcdStep("with etcd-restore it starts from the snapshot, in front of all revisions, and no call fails", async (t) => {
  const before = await readRevision();
  await makeOk("kube-deploy", { ...variables, COMPONENTS: "etcd-backup,etcd-restore,network-policy" });
  assert.equal(await readValue("config/limit"), "42");
  const after = await readRevision();
  assert.ok(after > before, `the revision was ${before} and is ${after}`);
  const servers = await readyServersOf(kubectl, 3);
  const reached = new Set(await nextCalls(kubectl, "client-grpc", 100));
  assert.deepEqual([...reached].sort(), [...servers].sort());
  report(t, `config/limit is 42 again; the revision was ${before} and is ${after}`);
  await requireNoErrors(t);
});

etcdStep("kube-delete deletes backup and claim", async () => {
  await makeOk("kube-delete", inNamespace);
  const { problem } = await kubectl.try(["get", "namespace", namespace]);
  assert.match(problem, /NotFound/);
});
