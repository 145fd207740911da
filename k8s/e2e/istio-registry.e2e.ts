/**
 * Istio as a registry: client-grpc, a pod without a sidecar, takes the endpoints of the server from istiod over xDS and calls the pods
 * itself, while servers are added, removed and replaced.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { judge } from "@grpc-lb/verdict";
import { callsToExactly, describeCalls } from "./client.ts";
import { buildImages } from "./images.ts";
import { makeOk } from "./make.ts";
import { readyServersOf, rolloutRestartServer } from "./server.ts";
import { beginStory, type Step } from "./story.ts";

const { namespace, kubectl, inNamespace, step, report, isReplaced, requireNoErrors } =
  await beginStory("istio-registry");
const istiod = await kubectl.try(["get", "deployment/istiod", "--namespace=istio-system"]);
const istioStep = (what: string, body: Step) => {
  if (istiod.code === 0) step(what, body);
  else test(what, { skip: "the cluster has no Istio" }, () => {});
};

const target = `xds://istiod.istio-system:15010/outbound|30051||server.${namespace}.svc.cluster.local`;
const node = { id: `sidecar~$(POD_IP)~client-grpc.${namespace}~${namespace}.svc.cluster.local` };
const container = {
  name: "client-grpc",
  args: [`--target=${target}`, "--interval=20ms"],
  env: [
    { name: "POD_IP", valueFrom: { fieldRef: { fieldPath: "status.podIP" } } },
    { name: "GRPC_XDS_BOOTSTRAP_CONFIG", value: JSON.stringify({ node }) },
  ],
};

/** Waits until the client calls exactly these pods, and then for 20 more calls for each, which are balanced. */
async function called(pods: readonly string[]): Promise<string> {
  const calls = await callsToExactly(kubectl, pods, pods.length * 20);
  assert.equal(judge(calls, pods, "round_robin").word, "BALANCED", describeCalls(calls, pods));
  return describeCalls(calls, pods);
}

const scale = (replicas: number) => kubectl.run(["scale", "deployment/server", `--replicas=${replicas}`]);

istioStep("a client without a sidecar takes the endpoints of the server from istiod", async (t) => {
  await buildImages();
  await makeOk("kube-deploy", inNamespace);
  const patch = { spec: { template: { spec: { containers: [container] } } } };
  await kubectl.run(["patch", "deployment/client-grpc", `--patch=${JSON.stringify(patch)}`]);
  await isReplaced("client-grpc");
  report(t, await called(await readyServersOf(kubectl, 3)));
});

for (const replicas of [5, 2, 4]) {
  istioStep(`${replicas} servers: exactly they are called`, async (t) => {
    await scale(replicas);
    report(t, await called(await readyServersOf(kubectl, replicas)));
  });
}

istioStep("all servers are replaced, and no call has failed", async (t) => {
  await rolloutRestartServer(kubectl);
  report(t, await called(await readyServersOf(kubectl, 4)));
  await requireNoErrors(t);
});
