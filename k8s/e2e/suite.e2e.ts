/**
 * The tutorial on a real cluster, that of the current kubectl context, by make and kubectl as a user runs them, in namespaces that it
 * deletes. The steps build on each other; if one fails, the later ones are skipped.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { judge } from "@grpc-lb/verdict";
import { createKubectl } from "../cluster/kubectl.ts";
import { describeCalls, firstCalls, nextCalls, readClient } from "./client.ts";
import { buildImages } from "./images.ts";
import { makeFails, makeOk } from "./make.ts";
import { grpcConnections, readyServers, readyServersOf, rolloutRestartServer, scaleServer } from "./server.ts";
import { beginStory, type Step } from "./story.ts";

const { namespace, kubectl, inNamespace, step, report, setCallInterval, requireNoErrors } = await beginStory("suite");

const hasIstio = await (async () => {
  const cluster = await createKubectl("");
  const { code, stdout } = await cluster.try(["get", "deployments", "-A", "-l", "app=istiod", "-o", "name"]);
  return code === 0 && stdout.trim() !== "";
})();

step("a namespace that enforces Pod Security restricted admits all pods", async (t) => {
  const labels = { "pod-security.kubernetes.io/enforce": "restricted" };
  const object = { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace, labels } };
  await kubectl.run(["create", "-f", "-"], { input: JSON.stringify(object) });
  await buildImages();
  const lines = await makeOk("kube-deploy", inNamespace);
  assert.equal(lines.filter((line) => / 1\/1 +Running /.test(line)).length, 5, "kube-deploy ends with five ready pods");
  const servers = await readyServers(kubectl);
  assert.equal(servers.length, 3);
  report(t, `${servers.length} servers, 1 client-http, 1 client-grpc, all ready`);
});

step("client-http reaches all pods, client-grpc exactly one: the problem", async (t) => {
  const first = await firstCalls(kubectl, "client-grpc", 3);
  report(t, `client-grpc from its start, once a second: ${first.map((pod, i) => `#${i + 1}: ${pod}`).join("  ")}`);
  await setCallInterval("50ms");
  const servers = await readyServers(kubectl);
  const http = await firstCalls(kubectl, "client-http", 150);
  const grpc = await firstCalls(kubectl, "client-grpc", 150);
  report(t, `client-http: ${describeCalls(http, servers)}, ${judge(http, servers, "random").word}`);
  report(t, `client-grpc: ${describeCalls(grpc, servers)}, ${judge(grpc, servers, "random").word}`);
  assert.equal(judge(http, servers, "random").word, "BALANCED");
  assert.equal(judge(grpc, servers, "random").word, "PINNED");
});

step(
  "make kube-verdict gives the same verdicts, and fails if a client is not what its strategy must give",
  async (t) => {
    const lines = await makeOk("kube-verdict", inNamespace);
    for (const line of lines) report(t, line);
    assert.ok(lines.some((line) => /^client-http +http +\d+ +0 +3 of 3 .* BALANCED +BALANCED$/.test(line)));
    assert.ok(lines.some((line) => /^client-grpc +clusterip +\d+ +0 +1 of 3 .* PINNED +PINNED$/.test(line)));
    const annotate = (strategy: string) =>
      kubectl.run(["annotate", "deployment", "client-grpc", `grpc-lb.dev/strategy=${strategy}`, "--overwrite"]);
    await annotate("resolver");
    report(t, await makeFails("kube-verdict", inNamespace, /^client-grpc: expected BALANCED, got PINNED/));
    await annotate("clusterip");
  },
);

step("scaling up does not help: the same connection continues, and no new pod gets a gRPC call", async (t) => {
  const connections = await grpcConnections(kubectl);
  assert.equal(connections.length, 1, "one channel, one connection");
  const [pinned] = await nextCalls(kubectl, "client-grpc", 1);
  const servers = await scaleServer(kubectl, 6);
  const [grpc, http] = await Promise.all([
    nextCalls(kubectl, "client-grpc", 100),
    nextCalls(kubectl, "client-http", 200),
  ]);
  report(t, `6 pods: client-grpc ${describeCalls(grpc, servers)}; client-http ${describeCalls(http, servers)}`);
  assert.deepEqual([...new Set(grpc)], [pinned], "client-grpc must stay with its pod");
  assert.equal(new Set(http).size, 6, "client-http must reach the new pods");
  assert.deepEqual(await grpcConnections(kubectl), connections, "the connection must be the same one");
  report(t, `the connection before and after: ${connections[0]}`);
  await scaleServer(kubectl, 3);
});

step("no call of either client fails in a rolling restart of the server", async (t) => {
  const servers = await rolloutRestartServer(kubectl);
  await nextCalls(kubectl, "client-http", 20);
  const [pod] = await nextCalls(kubectl, "client-grpc", 20);
  assert.ok(servers.includes(pod ?? ""), `client-grpc goes to a new pod, got ${pod}`);
  await requireNoErrors(t);
});

step("Pod Security forbids the sidecar: an error before anything changes", async (t) => {
  const line = await makeFails("istio-inject", inNamespace, /Pod Security|istiod/);
  report(t, line.trim());
  await requireNoErrors(t);
});

/** A step that needs Istio; skipped with a reason without it. */
function istioStep(name: string, body: Step): void {
  if (hasIstio) step(name, body);
  else test(name, { skip: "this cluster has no istiod" }, () => {});
}

istioStep("istio-inject: client-grpc reaches all pods within a few calls", async (t) => {
  await kubectl.run(["label", "namespace", namespace, "pod-security.kubernetes.io/enforce=privileged", "--overwrite"]);
  await makeOk("istio-inject", inNamespace);
  const servers = await readyServersOf(kubectl, 3);
  // The first calls can reach terminating servers; the window starts when those are gone.
  const grpc = await nextCalls(kubectl, "client-grpc", 90);
  const reached = servers.map((pod) => grpc.indexOf(pod) + 1);
  const { errors } = await readClient(kubectl, "client-grpc");
  report(t, `client-grpc: ${errors.length} errors during the injection`);
  report(t, `client-grpc: ${describeCalls(grpc, servers)}; all of them within ${Math.max(...reached)} calls`);
  assert.ok(
    reached.every((call) => call > 0 && call <= 15),
    `each pod within 15 calls, got ${reached}`,
  );
  const verdicts = await makeOk("kube-verdict", inNamespace);
  assert.ok(verdicts.some((line) => /^client-grpc +istio .* BALANCED +BALANCED$/.test(line)));
  const stats = await kubectl.run([
    "exec",
    "deployment/client-grpc",
    "--container",
    "istio-proxy",
    "--",
    "pilot-agent",
    "request",
    "GET",
    "clusters",
  ]);
  const totals = [...stats.matchAll(/^outbound\|30051\|\|(server\.\S+?)\.svc\.\S+?::(\S+?)::rq_total::(\d+)$/gm)]
    .filter(([, service]) => service === `server.${namespace}`)
    .map(([, , endpoint, requests]) => ({ endpoint, requests: Number(requests) }));
  const shares = totals.map(({ endpoint, requests }) => `${endpoint} ${requests}`);
  report(t, `requests of the client-grpc sidecar to each endpoint of the Service: ${shares.join(", ")}`);
  assert.equal(totals.filter(({ requests }) => requests > 0).length, 3, "requests must go to three endpoints");
});

istioStep("after istio-eject client-grpc is pinned again", async (t) => {
  await makeOk("istio-eject", inNamespace);
  const servers = await readyServersOf(kubectl, 3);
  const grpc = await nextCalls(kubectl, "client-grpc", 90);
  report(t, `client-grpc: ${describeCalls(grpc, servers)}`);
  assert.equal(new Set(grpc).size, 1, "client-grpc must be pinned again");
});

step("kube-delete deletes every object of grpc-lb and no other", async (t) => {
  await kubectl.run(["create", "configmap", "not-ours"]);
  await makeOk("kube-delete", inNamespace);
  const { items } = await kubectl.get(["deployments,services,poddisruptionbudgets,pods"]);
  const left = items
    .filter(({ metadata }: { metadata: { deletionTimestamp?: string } }) => !metadata.deletionTimestamp)
    .map(({ kind, metadata }: { kind: string; metadata: { name: string } }) => `${kind}/${metadata.name}`);
  assert.deepEqual(left, []);
  await kubectl.run(["get", "configmap", "not-ours"]);
  await makeOk("kube-delete", inNamespace);
  report(t, "nothing is left; a second kube-delete succeeds");
});
