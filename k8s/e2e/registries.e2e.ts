/**
 * Servers that register themselves on a real cluster, first in etcd, then in Consul, without Service and API server in the path of a
 * call, while servers and registry are restarted and a server is killed.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { judge } from "@grpc-lb/verdict";
import { imageVariable, type Registry, registries } from "../cluster/companion.ts";
import { callsToExactly, describeCalls, nextCalls, readClient } from "./client.ts";
import { buildImages } from "./images.ts";
import { makeFails, makeOk } from "./make.ts";
import { programImage } from "./program-image.ts";
import { findSandbox, signalServer } from "./sandbox.ts";
import { readyServersOf, rolloutRestartServer } from "./server.ts";
import { beginStory, type Step } from "./story.ts";

const { kubectl, inNamespace, step, report, setCallInterval, isReplaced, requireNoErrors } =
  await beginStory("registries");
const sandbox = await findSandbox(kubectl);
const shareOf = (calls: readonly string[], pod: string) => calls.filter((call) => call === pod).length / calls.length;

/** Waits until the client calls exactly these pods, and then for 30 more calls. */
const called = (pods: readonly string[]) => callsToExactly(kubectl, pods, 30);

/** Replaces the registry's pod, which loses its data, so that every server has to register again. */
async function replaceRegistry(registry: Registry): Promise<void> {
  await kubectl.run(["rollout", "restart", `deployment/${registry}`]);
  await kubectl.run(["rollout", "status", `deployment/${registry}`, "--timeout=120s"]);
}

for (const registry of registries) {
  const found = await programImage(kubectl, registry);
  const registryStep = (what: string, body: Step) => {
    if (found.image === null) test(`${registry}: ${what}`, { skip: found.why }, () => {});
    else step(`${registry}: ${what}`, body);
  };

  registryStep("make kube-deploy; every pod gets its share, within 1 % over 300 calls", async (t) => {
    await buildImages();
    const image = imageVariable(registry);
    report(
      t,
      await makeFails("kube-deploy", { ...inNamespace, STRATEGY: registry, [image]: "No Image" }, /must be an image/),
    );
    await makeOk("kube-deploy", { ...inNamespace, STRATEGY: registry, ...(found.image && { [image]: found.image }) });
    // Different for the two, so that the client is new and the killed server's failed calls are not counted again.
    await setCallInterval(registry === "etcd" ? "20ms" : "21ms");
    const servers = await readyServersOf(kubectl, 3);
    await called(servers);
    const calls = await nextCalls(kubectl, "client-grpc", 300);
    report(t, `client-grpc: ${describeCalls(calls, servers)}, ${judge(calls, servers, "round_robin").word}`);
    for (const pod of servers)
      assert.ok(Math.abs(shareOf(calls, pod) - 1 / 3) <= 0.01, `${pod}: ${shareOf(calls, pod)}`);
  });

  registryStep("the servers and then the registry are replaced under load: no call fails", async (t) => {
    const servers = await rolloutRestartServer(kubectl);
    await called(servers);
    await replaceRegistry(registry);
    await called(servers);
    await requireNoErrors(t);
    // That client may still use the endpoints from before; a new client must find the new registrations.
    await kubectl.run(["rollout", "restart", "deployment/client-grpc"]);
    await isReplaced("client-grpc");
    await called(servers);
  });

  registryStep("a server is killed: only its calls in flight fail", async (t) => {
    if (!sandbox) return t.skip("only in the sandbox can a test kill the process of a container");
    const servers = await readyServersOf(kubectl, 3);
    signalServer(servers[0] ?? "", "KILL");
    await nextCalls(kubectl, "client-grpc", 150);
    const { errors } = await readClient(kubectl, "client-grpc");
    report(t, `${errors.length} calls failed: ${errors.join("; ")}`);
    assert.ok(errors.length <= 2, "the client has one call in flight at a time");
    await called(servers); // the kubelet has restarted it, and it has registered again
  });
}
