/**
 * The tutorial on a real cluster, that of the current kubectl context, by make and kubectl as a user runs them, in namespaces that it
 * deletes. The steps build on each other; if one fails, the later ones are skipped.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { type RunningProgram, watchChild } from "@grpc-lb/program/testing";
import { judge } from "@grpc-lb/verdict";
import { createKubectl } from "../cluster/kubectl.ts";
import { namesOf, requireBuilt } from "../image/built.ts";
import type { AppName } from "../image/tag.ts";
import { copyWithServerVersion, removeCopy } from "./changed-checkout.ts";
import { describeCalls, firstCalls, nextCalls, readClient } from "./client.ts";
import { prefixVariables, provideImages } from "./images.ts";
import { makeFails, makeOk } from "./make.ts";
import { grpcConnections, readyServers, readyServersOf, rolloutRestartServer, scaleServer } from "./server.ts";
import { beginStory, type Step } from "./story.ts";
import * as stranger from "./stranger.ts";

const { namespace, kubectl, inNamespace, step, report, setCallInterval, requireNoErrors } = await beginStory("suite", [
  "bad",
]);

const hasIstio = await (async () => {
  const cluster = await createKubectl("");
  const { code, stdout } = await cluster.try(["get", "deployments", "-A", "-l", "app=istiod", "-o", "name"]);
  return code === 0 && stdout.trim() !== "";
})();

step("the images build, and a second build has the same tags", async (t) => {
  await provideImages();
  const tags = () => requireBuilt(prefixVariables.IMAGE_PREFIX ?? "").tags;
  const first = tags();
  const lines = await makeOk("docker-build", prefixVariables);
  assert.deepEqual(tags(), first);
  for (const line of lines.filter((text) => / MB/.test(text))) report(t, line);
});

step("each image runs without a cluster and prints the same lines", async (t) => {
  const server = runImage("server", ["--pod-name=alone", "--http-port=0", "--grpc-port=0", "--drain-delay=0s"]);
  try {
    const { httpPort, grpcPort } = JSON.parse(await server.line((line) => line.includes('"serving"')));
    const bounded = ["--count=3", "--interval=10ms"];
    for (const [app, target] of [
      ["client-http", `http://127.0.0.1:${httpPort}/pod`],
      ["client-grpc", `127.0.0.1:${grpcPort}`],
    ] as const) {
      const client = runImage(app, [`--target=${target}`, ...bounded]);
      assert.equal((await client.exited).code, 0, client.stderr.join("\n"));
      assert.deepEqual(client.stdout, ["#1: alone", "#2: alone", "#3: alone"]);
      report(t, `docker run ${app}: ${client.stdout.join(", ")}`);
    }
  } finally {
    assert.equal((await server.stop()).code, 0, "the server's container must end on SIGTERM");
  }
});

step("a namespace that enforces Pod Security restricted admits all pods", async (t) => {
  const labels = { "pod-security.kubernetes.io/enforce": "restricted" };
  const object = { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace, labels } };
  await kubectl.run(["create", "-f", "-"], { input: JSON.stringify(object) });
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

step("the same content rolls no pod, changed content rolls them all", async (t) => {
  const generations = async () => {
    const { items } = await kubectl.get(["deployments", "-l", "app in (server)"]);
    return items.map(({ metadata }: { metadata: { generation: number } }) => metadata.generation);
  };
  const before = await generations();
  await makeOk("kube-deploy", inNamespace);
  assert.deepEqual(await generations(), before, "the same content must not roll the pods");
  const { items } = await kubectl.get(["pods", "-l", "app=server"]);
  const image: string = items[0].spec.containers[0].image;
  assert.match(image, /grpc-lb\/server:[0-9a-f]{12}$/, "the tag comes from the content");
  report(t, `server runs ${image}`);

  const copy = copyWithServerVersion("0.1.0-changed");
  try {
    await provideImages(copy);
    await makeOk("kube-deploy", inNamespace, copy);
  } finally {
    removeCopy(copy);
  }
  assert.notDeepEqual(await generations(), before, "changed content must roll the pods");
  const [pod] = await readyServers(kubectl);
  const script = `fetch("http://127.0.0.1:8080/").then((r) => r.json()).then((pod) => console.log(pod.version))`;
  const version = (await kubectl.run(["exec", `pod/${pod}`, "--", "node", "-e", script])).trim();
  assert.equal(version, "0.1.0-changed");
  report(t, `after a change the pods were replaced and have version ${version}`);
  await requireNoErrors(t);
  await makeOk("docker-build", prefixVariables);
  await makeOk("kube-deploy", inNamespace);
});

step("no cluster, or no rights: one line, before anything changes", async (t) => {
  report(
    t,
    await makeFails("kube-deploy", { ...inNamespace, KUBECONFIG: "/nonexistent" }, /^kube-deploy needs cluster/),
  );
  const path = await stranger.kubeconfig(kubectl);
  try {
    report(
      t,
      await makeFails(
        "kube-deploy",
        { ...inNamespace, KUBECONFIG: path },
        /^kube-deploy: you are not allowed to create/,
      ),
    );
  } finally {
    stranger.forget(path);
  }
});

step("a missing image: kube-deploy fails and names the image and the reason", async (t) => {
  const bad = { NAMESPACE: `${namespace}-bad`, IMAGE_PREFIX: "registry.invalid/" };
  const copy = copyWithServerVersion("0.1.0-bad"); // concurrent stories deploy the images of this checkout
  try {
    await makeOk("docker-build", { IMAGE_PREFIX: bad.IMAGE_PREFIX }, copy); // built, and never pushed
    const line = await makeFails("kube-deploy", bad, /^kube-deploy: .*(ImagePullBackOff|ErrImagePull)/, copy);
    report(t, line.trim());
  } finally {
    removeCopy(copy);
  }
  await makeOk("kube-delete", { NAMESPACE: bad.NAMESPACE });
  const { problem } = await kubectl.try(["get", "namespace", bad.NAMESPACE]);
  assert.match(problem, /NotFound/, "the namespace that kube-deploy created is gone");
});

step("Pod Security forbids the sidecar: an error before anything changes", async (t) => {
  const line = await makeFails("istio-inject", inNamespace, /Pod Security|istiod/);
  report(t, line.trim());
  await requireNoErrors(t);
});

step("no ready istiod: an error before anything changes", async (t) => {
  const cluster = await createKubectl("istio-system");
  const context = (await cluster.run(["config", "current-context"])).trim();
  if (context !== "sandbox" || !hasIstio) return t.skip("only in the sandbox can a test stop istiod");
  const replicas = (await cluster.get(["deployment", "istiod"])).spec.replicas;
  const restore = () => cluster.run(["scale", "deployment/istiod", `--replicas=${replicas}`]);
  await cluster.run(["scale", "deployment/istiod", "--replicas=0"]);
  try {
    await cluster.run(["rollout", "status", "deployment/istiod", "--timeout=60s"]);
    report(t, await makeFails("istio-inject", inNamespace, /^istio-inject: istiod is not ready/));
  } finally {
    await restore();
    await cluster.run(["rollout", "status", "deployment/istiod", "--timeout=120s"]);
  }
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

/** Runs an app's image with Docker, on this machine's network; `docker run` forwards SIGTERM to the app. */
function runImage(app: AppName, args: readonly string[]): RunningProgram {
  const name = `grpc-lb-e2e-${app}-${randomBytes(3).toString("hex")}`;
  const image = namesOf(app, requireBuilt("")).byContent;
  return watchChild({
    command: "docker",
    args: ["run", "--rm", "--network=host", `--name=${name}`, image, ...args],
    env: process.env as Record<string, string>,
  });
}
