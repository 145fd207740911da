/**
 * The strategies that follow the control plane, one after the other on a real cluster: our source (`lookaside`), gRPC's own client
 * (`xds`), and Envoy (`envoy-xds`). Servers are added and replaced, and the control plane is away for a while, without a failed call.
 */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { judge } from "@grpc-lb/verdict";
import { controlPlaneStrategies } from "../cluster/strategy.ts";
import { callsToExactly, describeCalls, nextCalls, readClient } from "./client.ts";
import { podsOf } from "./control-plane.ts";
import { buildImages } from "./images.ts";
import { make, makeOk } from "./make.ts";
import { programImage } from "./program-image.ts";
import { listRestarts } from "./restarts.ts";
import { readyServersOf, rolloutRestartServer, scaleServer } from "./server.ts";
import { beginStory, type Step } from "./story.ts";
import { until } from "./until.ts";

const { kubectl, inNamespace, step, report, isReplaced } = await beginStory("lookaside");
const envoy = await programImage(kubectl, "envoy");

/** Waits until the client calls exactly these pods, and then for 40 more calls for each, which are spread evenly. */
async function spreadOver(pods: readonly string[]): Promise<string> {
  const calls = await callsToExactly(kubectl, pods, pods.length * 40);
  // By chance, not by turns: an update of the endpoints begins a new turn, and so does a new list of the proxy.
  assert.equal(judge(calls, pods, "random").word, "BALANCED", describeCalls(calls, pods));
  return describeCalls(calls, pods);
}

/** The failed calls of the client until it had its first servers: the cluster's DNS may not have answered at once. */
let failedAtStart: readonly string[] = [];

/** No call failed, no client printed a line of another kind, and no container was restarted. */
async function requireNothingElse(t: TestContext): Promise<void> {
  const { calls, errors, others } = await readClient(kubectl, "client-grpc");
  assert.deepEqual(errors.slice(failedAtStart.length), []);
  for (const client of ["client-http", "client-grpc"] as const) {
    const lines = client === "client-grpc" ? others : (await readClient(kubectl, client)).others;
    assert.deepEqual(lines, [], `${client} has other lines`);
  }
  assert.deepEqual(await listRestarts(kubectl), []);
  report(t, `${calls.length} calls since the client's start, 0 failed after the first; no other lines, no restarts`);
}

const scaleControlPlane = (replicas: number) =>
  kubectl.run(["scale", "deployment/control-plane", `--replicas=${replicas}`]);

for (const strategy of controlPlaneStrategies) {
  const isMissing = strategy === "envoy-xds" && envoy.image === null;
  const strategyStep = (what: string, body: Step) => {
    if (isMissing) test(`${strategy}: ${what}`, { skip: envoy.why }, () => {});
    else step(`${strategy}: ${what}`, body);
  };

  strategyStep("make kube-deploy reaches every pod, and make kube-verdict says BALANCED", async (t) => {
    await buildImages();
    const image = strategy === "envoy-xds" && envoy.image ? { ENVOY_IMAGE: envoy.image } : {};
    await makeOk("kube-deploy", { ...inNamespace, STRATEGY: strategy, ...image });
    await kubectl.run(["set", "env", "deployment/client-grpc", "INTERVAL=20ms"]);
    await isReplaced("client-grpc");
    report(t, await spreadOver(await readyServersOf(kubectl, 3)));
    failedAtStart = (await readClient(kubectl, "client-grpc")).errors;
    await nextCalls(kubectl, "client-grpc", 300); // the calls that are judged
    const { lines } = await make("kube-verdict", inNamespace); // client-http's row is not the matter here
    const line = lines.find((text) => text.startsWith("client-grpc ")) ?? "";
    report(t, line);
    assert.match(line, new RegExp(`^client-grpc +${strategy} +300 +0 +3 of 3 .* BALANCED +BALANCED$`));
  });

  strategyStep("two servers more are called, and no call fails when all five are replaced", async (t) => {
    report(t, await spreadOver(await scaleServer(kubectl, 5)));
    report(t, `replaced: ${await spreadOver(await rolloutRestartServer(kubectl))}`);
    await requireNothingElse(t);
  });

  strategyStep(
    "the control plane is deleted: the calls go on; when it is back, servers are added and removed",
    async (t) => {
      const servers = await readyServersOf(kubectl, 5);
      await scaleControlPlane(0);
      await until("the control plane to be gone", 60_000, async () => {
        const pods = await podsOf(kubectl);
        return pods.length === 0 ? { value: true } : { seen: pods.join(", ") };
      });
      report(t, `without it: ${await spreadOver(servers)}`);
      await scaleControlPlane(1);
      await kubectl.run(["rollout", "status", "deployment/control-plane", "--timeout=120s"]);
      report(t, `it is back: ${await spreadOver(await scaleServer(kubectl, 6))}`);
      report(t, `then: ${await spreadOver(await scaleServer(kubectl, 4))}`);
      await requireNothingElse(t);
    },
  );
}
