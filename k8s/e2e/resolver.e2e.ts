/**
 * The resolver on a real cluster: client-grpc in a pod with its own service account, and the library in this process with the
 * kubeconfig, both under load while the cluster changes.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { registerResolvers } from "@grpc-lb/resolver";
import { judge } from "@grpc-lb/verdict";
import { describeCalls, nextCalls, readClient } from "./client.ts";
import { buildImages } from "./images.ts";
import { reaches, startLoad, underLoad } from "./load.ts";
import { makeOk } from "./make.ts";
import { findSandbox, signalServer } from "./sandbox.ts";
import { readyServers, readyServersOf, rolloutRestartServer, scaleServer } from "./server.ts";
import { beginStory, type Step } from "./story.ts";
import { until } from "./until.ts";

const { namespace, kubectl, inNamespace, step, report, stopAtEnd, setCallInterval, requireNoErrors } =
  await beginStory("resolver");
const sandbox = await findSandbox(kubectl);
registerResolvers();
const target = `kubernetes:///server.${namespace}:grpc`;
const shareOf = (calls: readonly string[], pod: string) => calls.filter((call) => call === pod).length / calls.length;

step("make kube-deploy STRATEGY=resolver, in a namespace that enforces Pod Security restricted", async (t) => {
  const labels = { "pod-security.kubernetes.io/enforce": "restricted" };
  const object = { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace, labels } };
  await kubectl.run(["create", "-f", "-"], { input: JSON.stringify(object) });
  await buildImages();
  await makeOk("kube-deploy", { ...inNamespace, STRATEGY: "resolver" });
  await setCallInterval("20ms");
  report(t, `${(await readyServers(kubectl)).length} servers ready`);
});

step("every pod gets its share, within 1 % over 300 calls", async (t) => {
  const servers = await readyServersOf(kubectl, 3);
  await nextCalls(kubectl, "client-grpc", 30); // its connections are open
  const calls = await nextCalls(kubectl, "client-grpc", 300);
  report(t, `client-grpc: ${describeCalls(calls, servers)}, ${judge(calls, servers, "round_robin").word}`);
  for (const pod of servers) assert.ok(Math.abs(shareOf(calls, pod) - 1 / 3) <= 0.01, `${pod}: ${shareOf(calls, pod)}`);
});

step("3 → 10 → 2 pods and a rolling restart under load: no call fails", async (t) => {
  await underLoad(target, t, async (load) => {
    for (const replicas of [10, 2, 3]) {
      const servers = await scaleServer(kubectl, replicas);
      await reaches(load, servers);
      report(t, `${replicas} pods: exactly these are called`);
    }
    await reaches(load, await rolloutRestartServer(kubectl));
    report(t, "rolling restart: exactly the three new pods are called");
  });
  await requireNoErrors(t);
});

step("no pod ready: calls fail at once and name the service; the first ready pod is used at once", async (t) => {
  await scaleServer(kubectl, 0);
  const load = stopAtEnd(startLoad(target, 50));
  const message = await until("an error that names the service", 20_000, async () => {
    const error = load.errors.find((text) => text.includes("no ready endpoints"));
    return error === undefined ? { seen: load.errors.at(-1) ?? "no error" } : { value: error };
  });
  assert.match(message, new RegExp(`service ${namespace}/server has no ready endpoints`));
  report(t, message);
  const servers = await scaleServer(kubectl, 3);
  await reaches(load, servers);
  await load.stop();
  report(t, `3 pods ready again: ${load.calls.length} calls succeeded`);
});

sandboxStep(
  "all pods become unready and then ready: calls fail at once in between and succeed afterwards",
  async (t) => {
    const servers = await readyServersOf(kubectl, 3);
    const load = stopAtEnd(startLoad(target, 50));
    await reaches(load, servers);
    for (const pod of servers) signalServer(pod, "STOP"); // their probes fail; the kubelet restarts them after 30 s
    try {
      await until("calls that fail without ready pods", 25_000, async () => {
        const error = load.errors.find((text) => text.includes("no ready endpoints"));
        return error === undefined ? { seen: load.errors.at(-1) ?? "no error" } : { value: error };
      });
    } finally {
      for (const pod of servers) signalServer(pod, "CONT");
    }
    await reaches(load, servers);
    await load.stop();
    report(t, `frozen pods left the endpoints and were called again after they resumed: ${load.calls.length} calls`);
  },
);

step("the Service is deleted and created again: calls find it", async (t) => {
  const load = stopAtEnd(startLoad(target, 50));
  const servers = await readyServers(kubectl);
  await reaches(load, servers);
  await kubectl.run(["delete", "service", "server"]);
  await until("calls that fail without the Service", 20_000, async () =>
    load.errors.some((text) => text.includes("there is no such Service"))
      ? { value: true }
      : { seen: `${load.errors.length} errors, ${load.errors.at(-1)}` },
  );
  await makeOk("kube-deploy", { ...inNamespace, STRATEGY: "resolver" });
  await reaches(load, servers);
  const after = load.errors.length;
  await reaches(load, servers);
  await load.stop();
  report(t, `back: ${load.calls.length} calls, ${after} failed while there was no Service`);
});

/** A step that freezes servers, which are processes of this machine only in the sandbox. */
function sandboxStep(name: string, body: Step) {
  if (sandbox) step(name, body);
  else test(name, { skip: "only in the sandbox can servers be frozen" }, () => {});
}

step("without the Role the call's error names verb, resource and namespace", async (t) => {
  await kubectl.run(["delete", "rolebinding", "client-grpc"]);
  await kubectl.run(["rollout", "restart", "deployment/client-grpc"]);
  await kubectl.run(["rollout", "status", "deployment/client-grpc", "--timeout=120s"]);
  const error = await until("an error that names the missing right", 60_000, async () => {
    const { errors } = await readClient(kubectl, "client-grpc");
    const denied = errors.find((text) => text.includes("403"));
    return denied === undefined ? { seen: errors.at(-1) ?? "no error" } : { value: denied };
  });
  report(t, error);
  for (const part of ["list", "endpointslices", namespace]) assert.match(error, new RegExp(part));
  await makeOk("kube-deploy", { ...inNamespace, STRATEGY: "resolver" });
  await until("calls that succeed once the Role is bound", 60_000, async () => {
    const { calls } = await readClient(kubectl, "client-grpc");
    return calls.length > 0 ? { value: true } : { seen: "none" };
  });
  report(t, "the RoleBinding is back: the same pod's calls succeed");
});

step("make kube-deploy STRATEGY=headless-dns: DNS and round_robin spread calls too", async (t) => {
  await makeOk("kube-deploy", { ...inNamespace, STRATEGY: "headless-dns" });
  await setCallInterval("20ms");
  const servers = await readyServers(kubectl);
  await nextCalls(kubectl, "client-grpc", 50);
  const calls = await nextCalls(kubectl, "client-grpc", 300);
  report(t, `client-grpc: ${describeCalls(calls, servers)}`);
  assert.equal(judge(calls, servers, "round_robin").word, "BALANCED");
  await makeOk("kube-delete", inNamespace);
});
