/**
 * The resolver on a real cluster: client-grpc in a pod with its own service account, and the library in this process with the
 * kubeconfig, both under load while the cluster changes and while its API server is unavailable.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock } from "@grpc-lb/core";
import { registerResolvers } from "@grpc-lb/resolver";
import { judge } from "@grpc-lb/verdict";
import { describeCalls, nextCalls, readClient } from "./client.ts";
import { buildImages } from "./images.ts";
import { type Load, startLoad } from "./load.ts";
import { makeOk } from "./make.ts";
import { progress } from "./report.ts";
import { findSandbox, signalServer } from "./sandbox.ts";
import { readyServers, readyServersOf, rolloutRestartServer, scaleServer } from "./server.ts";
import { beginStory, type Step } from "./story.ts";
import { until } from "./until.ts";

const { namespace, kubectl, inNamespace, step, report, stopAtEnd, setCallInterval, requireNoErrors } =
  await beginStory("resolver");
const sandbox = await findSandbox(kubectl);
const resolver = registerResolvers();
const target = `kubernetes:///server.${namespace}:grpc`;
const shareOf = (calls: readonly string[], pod: string) => calls.filter((call) => call === pod).length / calls.length;

/** The address of the pod whose process a step ended; a failed call to it is not a fault of the resolver. */
let endedAddress = "none";

/** Calls from this process every 20 ms while `body` runs; no call to a running pod may fail. */
async function underLoad<T>(t: Parameters<Step>[0], body: (load: Load) => Promise<T>): Promise<T> {
  const load = startLoad(target, 20);
  try {
    return await body(load);
  } finally {
    await load.stop();
    report(t, `calls from outside the cluster: ${load.calls.length} succeeded, ${load.errors.length} failed`);
    const toRunning = load.errors.filter((text) => !text.includes(endedAddress));
    assert.deepEqual([...new Set(toRunning)], [], "calls to running pods failed");
  }
}

/** Waits until the calls of this process reach exactly these servers. */
async function reaches(load: Load, servers: readonly string[]): Promise<void> {
  await until(`calls to ${servers.length} servers`, 30_000, async () => {
    const recent = new Set(load.calls.slice(-servers.length * 3).map(({ pod }) => pod));
    const isSame = recent.size === servers.length && servers.every((pod) => recent.has(pod));
    return isSame ? { value: true } : { seen: [...recent].join(", ") };
  });
}

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
  await underLoad(t, async (load) => {
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

outageStep(
  "all pods become unready and then ready: calls fail at once in between and succeed afterwards",
  async (_run, t) => {
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

/** A step that stops the API server, which is possible only in the sandbox. */
function outageStep(name: string, body: (run: NonNullable<typeof sandbox>, t: Parameters<Step>[0]) => Promise<void>) {
  if (sandbox) step(name, (t) => body(sandbox, t));
  else test(name, { skip: "only in the sandbox can the API server be stopped" }, () => {});
}

/** The failed calls of the client in the pod before the outages, while there was no server or no Service. */
let errorsBeforeOutages = 0;

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
 * Stops the cluster's controllers for an outage; `run("start")` starts them again. Otherwise they may reach the API server before the
 * nodes do, consider all nodes lost and mark all pods as not ready, which every client must believe. They also retry only after up
 * to a minute.
 */
async function stopControllers(run: NonNullable<typeof sandbox>): Promise<void> {
  for (const name of ["controller-manager", "scheduler"]) await run("stop", name);
}

/** How long the API server is away, in milliseconds; `make e2e-long` takes more than a watch may be silent. */
const outage = process.env.GRPC_LB_E2E_LONG
  ? { stoppedMs: 60_000, frozenMs: 120_000 }
  : { stoppedMs: 30_000, frozenMs: 30_000 };
const seconds = (ms: number) => `${ms / 1_000} s`;

outageStep(
  `the API server is stopped for ${seconds(outage.stoppedMs)} while a server is restarted: no call to a running pod fails`,
  async (run, t) => {
    await underLoad(t, async (load) => {
      await reaches(load, await readyServersOf(kubectl, 3));
      errorsBeforeOutages = (await readClient(kubectl, "client-grpc")).errors.length;
      const [restarted = ""] = [...new Set(load.calls.slice(-9).map(({ pod }) => pod))];
      endedAddress = (await kubectl.get(["pod", restarted])).status.podIP;
      await stopControllers(run);
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
    await underLoad(t, async (load) => {
      await reaches(load, await readyServersOf(kubectl, 3));
      await stopControllers(run);
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

step(
  "after the outages changes of the cluster take effect, and the client in the pod had no failed call in them",
  async (t) => {
    await underLoad(t, async (load) => reaches(load, await scaleServer(kubectl, 4)));
    const { errors, calls } = await readClient(kubectl, "client-grpc");
    const failed = errors.slice(errorsBeforeOutages).filter((text) => !text.includes(endedAddress));
    report(
      t,
      `client-grpc in its pod: ${calls.length} calls, ${failed.length} failed to running pods since before the outages`,
    );
    assert.deepEqual([...new Set(failed)], []);
  },
);

step("without the Role the call's error names verb, resource and namespace", async (t) => {
  await kubectl.run(["delete", "rolebinding", "client-grpc"]);
  await kubectl.run(["rollout", "restart", "deployment/client-grpc"]);
  await kubectl.run(["rollout", "status", "deployment/client-grpc", "--timeout=120s"]); // a kubelet may still recover from the outage
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
