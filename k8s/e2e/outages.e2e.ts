/**
 * istiod is away when it is needed. The API server of the cluster is stopped and frozen for a time: the calls of the library in this
 * process and of client-grpc in a pod go on, and both learn afterwards what has changed. Only in the sandbox can these be stopped.
 */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { systemClock } from "@grpc-lb/core";
import { registerResolvers } from "@grpc-lb/resolver";
import { createKubectl } from "../cluster/kubectl.ts";
import { readClient } from "./client.ts";
import { connectFrom } from "./connect.ts";
import { buildImages } from "./images.ts";
import { type Load, reaches, underLoad } from "./load.ts";
import { makeFails, makeOk } from "./make.ts";
import { progress } from "./report.ts";
import { findSandbox, signalServer } from "./sandbox.ts";
import { readyServersOf, scaleServer } from "./server.ts";
import { beginStory } from "./story.ts";
import { until } from "./until.ts";

const { namespace, kubectl, inNamespace, step, report, setCallInterval } = await beginStory("outages");
const sandbox = await findSandbox(kubectl);
const resolver = registerResolvers();
const target = `kubernetes:///server.${namespace}:grpc`;

/** The address of the pod whose process a step ended; a failed call to it is no fault of the client. */
let endedAddress = "none";
const isOfEndedPod = (message: string) => message.includes(endedAddress);

const duringOutage = (t: TestContext, body: (load: Load) => Promise<void>) => underLoad(target, t, body, isOfEndedPod);

/** A step in which the API server or istiod is away. */
function outageStep(name: string, body: (run: NonNullable<typeof sandbox>, t: TestContext) => Promise<void>) {
  if (sandbox) step(name, (t) => body(sandbox, t));
  else test(name, { skip: "only in the sandbox can the API server and istiod be stopped" }, () => {});
}

/** Milliseconds from the return of the API server, and a change, until the watch of this process has received something. */
async function catchUp(): Promise<number> {
  const backMs = systemClock.now();
  const slices = ["endpointslices", "--selector", "kubernetes.io/service-name=server"];
  await kubectl.run(["annotate", "--overwrite", ...slices, `grpc-lb.dev/changed=${Math.round(backMs)}`]);
  return until("an event of the watch", 15_000, async () => {
    const [stats] = resolver.stats();
    const age = stats?.lastSyncAgeMs ?? Number.POSITIVE_INFINITY;
    const sinceMs = systemClock.now() - backMs;
    return age < sinceMs ? { value: sinceMs - age } : { seen: `the last one ${age} ms ago` };
  });
}

/**
 * Stops the cluster's controllers and kube-proxies for an outage; `run("start")` starts them again. Otherwise the controllers may reach
 * the API server before the nodes do, consider all nodes lost and mark all pods as not ready, which every client must believe. All
 * of them also retry only after up to a minute.
 */
async function stopComponents(run: NonNullable<typeof sandbox>): Promise<void> {
  for (const name of ["controller-manager", "scheduler", "kube-proxy-a", "kube-proxy-b"]) await run("stop", name);
}

/** A Service of the same servers, which is created after the outages. */
const newService = "server-new";

/** How long the API server is away, in milliseconds; `make e2e-long` takes more than a watch may be silent. */
const outage = process.env.GRPC_LB_E2E_LONG
  ? { stoppedMs: 60_000, frozenMs: 120_000 }
  : { stoppedMs: 30_000, frozenMs: 30_000 };
const seconds = (ms: number) => `${ms / 1_000} s`;

outageStep("make kube-deploy STRATEGY=resolver", async () => {
  await buildImages();
  await makeOk("kube-deploy", { ...inNamespace, STRATEGY: "resolver" });
  await setCallInterval("20ms");
});

outageStep("no ready istiod: istio-inject fails before anything changes", async (_run, t) => {
  const istio = await createKubectl("istio-system");
  const { code } = await istio.try(["get", "deployment/istiod"]);
  if (code !== 0) return t.skip("this cluster has no istiod");
  const { replicas } = (await istio.get(["deployment", "istiod"])).spec;
  await istio.run(["scale", "deployment/istiod", "--replicas=0"]);
  try {
    await istio.run(["rollout", "status", "deployment/istiod", "--timeout=60s"]);
    report(t, await makeFails("istio-inject", inNamespace, /^istio-inject: istiod is not ready/));
  } finally {
    await istio.run(["scale", "deployment/istiod", `--replicas=${replicas}`]);
    await istio.run(["rollout", "status", "deployment/istiod", "--timeout=120s"]);
  }
});

outageStep(
  `the API server is stopped for ${seconds(outage.stoppedMs)} while a server is restarted: no call to a running pod fails`,
  async (run, t) => {
    await duringOutage(t, async (load) => {
      await reaches(load, await readyServersOf(kubectl, 3));
      const [restarted = ""] = [...new Set(load.calls.slice(-9).map(({ pod }) => pod))];
      endedAddress = (await kubectl.get(["pod", restarted])).status.podIP;
      await stopComponents(run);
      await run("stop", "apiserver");
      signalServer(restarted, "TERM");
      progress(`   the API server is stopped, the kubelet restarts ${restarted}; waiting ${seconds(outage.stoppedMs)}`);
      try {
        await systemClock.sleep(outage.stoppedMs);
      } finally {
        await run("start");
      }
      const isBack = load.calls.slice(-30).some(({ pod }) => pod === restarted);
      report(t, `${restarted} got SIGTERM, restarted, and ${isBack ? "is" : "is not"} called again`);
      assert.ok(isBack, "the restarted server must be called again");
      const caughtUpMs = await catchUp();
      report(t, `first event ${Math.round(caughtUpMs)} ms after its return`);
      assert.ok(caughtUpMs <= 5_000, `caught up after ${caughtUpMs} ms`);
    });
  },
);

outageStep(
  `the API server is frozen for ${seconds(outage.frozenMs)}: no call fails, and the watch continues within 5 s after it`,
  async (run, t) => {
    await duringOutage(t, async (load) => {
      await reaches(load, await readyServersOf(kubectl, 3));
      await stopComponents(run);
      try {
        await run("signal", "apiserver", "STOP");
        progress(`   the API server is frozen; waiting ${seconds(outage.frozenMs)}`);
        try {
          await systemClock.sleep(outage.frozenMs);
        } finally {
          await run("signal", "apiserver", "CONT");
        }
        const caughtUpMs = await catchUp();
        report(t, `first event ${Math.round(caughtUpMs)} ms after it resumed`);
        assert.ok(caughtUpMs <= 5_000, `caught up after ${caughtUpMs} ms`);
      } finally {
        await run("start");
      }
    });
  },
);

outageStep("after the outages every node and the cluster's DNS learn of a new Service", async (_run, t) => {
  // A CoreDNS that starts lists at once; one that has missed the API server retries only after up to a minute.
  await kubectl.run(["rollout", "restart", "deployment/coredns", "--namespace=kube-system"]);
  await kubectl.run(["rollout", "status", "deployment/coredns", "--namespace=kube-system", "--timeout=120s"]);
  const changedMs = systemClock.now();
  await kubectl.run(["expose", "deployment", "server", `--name=${newService}`, "--port=30051"]);
  const { items } = await kubectl.get(["pods"]);
  const pods: readonly { metadata: { name: string }; spec: { nodeName: string } }[] = items;
  const names = pods.map(({ metadata }) => metadata.name);
  assert.ok(new Set(pods.map(({ spec }) => spec.nodeName)).size > 1, "there must be pods on more than one node");
  await until(`all pods to reach ${newService}`, 180_000, async () => {
    const outcomes = await Promise.all(names.map((pod) => connectFrom(kubectl, pod, [`${newService}:30051`])));
    const late = outcomes.flatMap(([outcome], at) => (outcome === "connected" ? [] : [`${names[at]}: ${outcome}`]));
    return late.length === 0 ? { value: true } : { seen: late.join(", ") };
  });
  report(t, `all pods reached it after ${Math.round((systemClock.now() - changedMs) / 1_000)} s`);
});

outageStep(
  "after the outages changes of the cluster take effect, and the client in the pod had no failed call",
  async (_run, t) => {
    await duringOutage(t, async (load) => reaches(load, await scaleServer(kubectl, 4)));
    const { errors, calls } = await readClient(kubectl, "client-grpc");
    const failed = errors.filter((message) => !isOfEndedPod(message));
    report(t, `client-grpc in its pod: ${calls.length} calls, ${failed.length} failed to running pods`);
    assert.deepEqual([...new Set(failed)], []);
  },
);
