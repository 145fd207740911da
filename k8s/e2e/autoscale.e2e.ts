/**
 * Why one connection defeats an autoscaler: `hpa-grpc-rate` under the same load over `clusterip` and over `resolver`, at the same time in
 * two namespaces. Each pod can serve 10 calls a second, and the autoscaler wants 2.5 for each.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { createKubectl, type Kubectl } from "../cluster/kubectl.ts";
import { alignTable } from "../cluster/table.ts";
import { root } from "../image/tag.ts";
import { readClient } from "./client.ts";
import { buildImages, prefixVariables } from "./images.ts";
import { makeOk } from "./make.ts";
import { Prometheus } from "./prometheus.ts";
import { rolloutRestartServer } from "./server.ts";
import { beginStory, type Step } from "./story.ts";
import { until } from "./until.ts";

const { namespace, kubectl, step, report, stopAtEnd } = await beginStory("autoscale", ["pinned"]);
const prometheus = await Prometheus.find();
const pinned = await createKubectl(`${namespace}-pinned`);
const cases = { clusterip: pinned, resolver: kubectl } as const;
type Case = keyof typeof cases;

/** 12 callers with a pause of 100 ms: 40 calls a second if each takes 200 ms. */
const load = ["INTERVAL=100ms", "CONCURRENCY=12"];
const server = ["LATENCY=200ms", "CAPACITY=2"];
const wantedPods = { clusterip: 4, resolver: 8 };

function monitoringStep(what: string, body: (prometheus: Prometheus) => Step): void {
  if (prometheus === undefined)
    test(what, { skip: "the cluster has no Prometheus in the namespace monitoring" }, () => {});
  else step(what, body(prometheus));
}

const patchAutoscaler = (kubectl: Kubectl, spec: object) =>
  kubectl.run(["patch", "hpa", "server", "--type=merge", "-p", JSON.stringify({ spec })]);
const callsPerPod = (value: number) => ({
  metrics: [
    {
      type: "Pods",
      pods: {
        metric: { name: "grpc_requests_per_second" },
        target: { type: "AverageValue", averageValue: `${value * 1_000}m` },
      },
    },
  ],
});

/** Waits until the autoscaler has set a number of pods that `isWanted`, and they are ready. */
function scaledTo(kubectl: Kubectl, limitMs: number, isWanted: (pods: number) => boolean): Promise<number> {
  return until("the autoscaler's pods", limitMs, async () => {
    const { spec, status } = await kubectl.get(["deployment", "server"]);
    const pods: number = spec.replicas;
    if (isWanted(pods) && status.readyReplicas === pods && status.replicas === pods) return { value: pods };
    return { seen: `${status.readyReplicas} ready of ${pods}` };
  });
}

monitoringStep("prometheus-adapter serves the calls a second of each pod", (prometheus) => async (t) => {
  await buildImages();
  const rule = readFileSync(join(root, "k8s/components/hpa-grpc-rate/prometheus-adapter.yaml"), "utf8");
  const restore = await prometheus.configure("prometheus-adapter", "config.yaml", rule);
  const restart = async () => {
    await prometheus.kubectl.run(["rollout", "restart", "deployment/prometheus-adapter"]);
    await prometheus.kubectl.run(["rollout", "status", "deployment/prometheus-adapter", "--timeout=120s"]);
  };
  stopAtEnd({
    async stop() {
      await restore();
      await restart();
    },
  });
  await restart();
  for (const [strategy, kubectl] of Object.entries(cases)) {
    const variables = { NAMESPACE: kubectl.namespace, STRATEGY: strategy, COMPONENTS: "monitoring,hpa-grpc-rate" };
    await makeOk("kube-deploy", { ...variables, ...prefixVariables });
    await patchAutoscaler(kubectl, callsPerPod(2.5));
    await kubectl.run(["set", "env", "deployment/server", ...server]);
    await kubectl.run(["rollout", "status", "deployment/server", "--timeout=120s"]);
    await kubectl.run(["set", "env", "deployment/client-grpc", ...load]);
    await kubectl.run(["rollout", "status", "deployment/client-grpc", "--timeout=120s"]);
  }
  for (const { namespace } of Object.values(cases)) {
    const path = `/apis/custom.metrics.k8s.io/v1beta2/namespaces/${namespace}/pods/*/grpc_requests_per_second`;
    await until(`the metric in ${namespace}`, 120_000, async () => {
      const { code, stdout, problem } = await kubectl.try(["get", "--raw", path]);
      const items = code === 0 ? JSON.parse(stdout).items : [];
      return items.length > 0 ? { value: true } : { seen: problem || "no pods" };
    });
  }
  report(t, "grpc_requests_per_second is there for both namespaces");
});

monitoringStep(
  "both scale up; over one connection the new pods stay idle and one is overloaded",
  (prometheus) => async (t) => {
    const pods: Record<Case, number> = { clusterip: 0, resolver: 0 };
    const scale = async (name: Case) => {
      pods[name] = await scaledTo(cases[name], 240_000, (count) => count >= wantedPods[name]);
    };
    await Promise.all([scale("clusterip"), scale("resolver")]);
    const rates: Record<Case, readonly number[]> = { clusterip: [], resolver: [] };
    const p99: Record<Case, number> = { clusterip: Number.NaN, resolver: Number.NaN };
    for (const name of ["clusterip", "resolver"] as const) {
      const of = `namespace="${cases[name].namespace}"`;
      // The window of a minute must begin after the last pod became ready, and the autoscaler may have added more meanwhile.
      const isWanted = (busy: number) => (name === "clusterip" ? busy === 1 : busy >= pods[name]);
      const query = `sum by (pod) (rate(grpc_server_call_started_total{${of}}[1m]))`;
      const samples = await prometheus.waitFor(query, 180_000, (found) => {
        const values = found.map(({ value }) => value).filter((value) => value > 0.5);
        return isWanted(values.length) && Math.min(...values) > 0.7 * Math.max(...values);
      });
      pods[name] = Math.max(pods[name], samples.length);
      const idle = Array.from({ length: pods[name] - samples.length }, () => 0);
      rates[name] = [...samples.map(({ value }) => value), ...idle].sort((a, b) => b - a);
      const latency = `histogram_quantile(0.99, sum by (le) (rate(grpc_client_call_duration_seconds_bucket{${of},app="client-grpc"}[1m])))`;
      p99[name] = (await prometheus.waitFor(latency, 60_000))[0]?.value ?? Number.NaN;
    }
    const columns = ["strategy", "pods", "calls/s", "calls/s of each pod", "p99"].map((title) => ({
      title,
      align: "left" as const,
    }));
    const rows = (["clusterip", "resolver"] as const).map((name) => [
      name,
      String(pods[name]),
      rates[name].reduce((sum, rate) => sum + rate, 0).toFixed(0),
      rates[name].map((rate) => rate.toFixed(0)).join(" "),
      `${Math.round(p99[name] * 1_000)} ms`,
    ]);
    for (const line of alignTable(columns, rows)) report(t, line);
    assert.ok(
      rates.clusterip.slice(1).every((rate) => rate < 0.5),
      "over one connection the other pods must be idle",
    );
    assert.ok(p99.clusterip > 1.5 * p99.resolver, "the overloaded pod must be slower");
  },
);

monitoringStep("a scale-down and then a rolling update under load: no call fails", () => async (t) => {
  const before = (await kubectl.get(["deployment", "server"])).spec.replicas;
  const scaleDown = { stabilizationWindowSeconds: 0, policies: [{ type: "Pods", value: 4, periodSeconds: 15 }] };
  await patchAutoscaler(kubectl, { ...callsPerPod(20), behavior: { scaleDown } });
  const after = await scaledTo(kubectl, 180_000, (pods) => pods === 3);
  const rolled = await rolloutRestartServer(kubectl);
  const { calls, errors } = await readClient(kubectl, "client-grpc");
  report(
    t,
    `from ${before} to ${after} pods, all ${rolled.length} replaced: ${calls.length} calls, ${errors.length} failed`,
  );
  assert.deepEqual(errors, []);
});
