/**
 * The component `monitoring` with a real Prometheus: it scrapes every pod through the network policies, loads the rules, and every query
 * of the dashboard returns data.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { root } from "../image/tag.ts";
import { buildImages } from "./images.ts";
import { makeOk } from "./make.ts";
import { Prometheus } from "./prometheus.ts";
import { readyServersOf } from "./server.ts";
import { beginStory, type Step } from "./story.ts";
import { until } from "./until.ts";

const { namespace, kubectl, inNamespace, step, report, stopAtEnd, setCallInterval, requireNoErrors } =
  await beginStory("monitoring");
const prometheus = await Prometheus.find();
const folder = join(root, "k8s/components/monitoring");

function monitoringStep(what: string, body: (prometheus: Prometheus) => Step): void {
  if (prometheus === undefined)
    test(what, { skip: "the cluster has no Prometheus in the namespace monitoring" }, () => {});
  else step(what, body(prometheus));
}

monitoringStep("Prometheus scrapes every pod, through the network policies", (prometheus) => async (t) => {
  await buildImages();
  const restore = await prometheus.configure(
    "prometheus-rules",
    "grpc-lb.yaml",
    readFileSync(join(folder, "rules.yaml"), "utf8"),
  );
  stopAtEnd({ stop: restore });
  const components = "monitoring,network-policy";
  await makeOk("kube-deploy", { ...inNamespace, STRATEGY: "resolver", COMPONENTS: components });
  await setCallInterval("20ms");
  await readyServersOf(kubectl, 3);
  const { items } = await kubectl.get(["pods"]);
  const pods = items.map(({ metadata }: { metadata: { name: string } }) => metadata.name).sort();
  assert.equal(pods.length, 5);
  const isEach = (samples: readonly { readonly metric: Readonly<Record<string, string>> }[]) =>
    JSON.stringify(samples.map(({ metric }) => metric.pod).sort()) === JSON.stringify(pods);
  await prometheus.waitFor(`up{namespace="${namespace}"} == 1`, 60_000, isEach);
  report(t, `up is 1 for ${pods.join(", ")}`);
});

monitoringStep("every query of the dashboard returns data", (prometheus) => async (t) => {
  const { panels } = JSON.parse(readFileSync(join(folder, "dashboard.json"), "utf8"));
  type Panel = { readonly title: string; readonly targets: readonly { readonly expr: string }[] };
  const queries = panels.flatMap(({ title, targets }: Panel) => targets.map(({ expr }) => [title, expr] as const));
  for (const [title, expr] of queries) {
    const query = expr.replaceAll("$namespace", namespace).replaceAll("$__rate_interval", "30s");
    const samples = await prometheus.waitFor(query, 60_000, (found) => found.some(({ value }) => !Number.isNaN(value)));
    report(t, `${title}: ${samples.map(({ value }) => Number(value.toPrecision(3))).join(", ")}`);
  }
});

monitoringStep("Prometheus accepts the rules, and calls over the resolver fire no alert", (prometheus) => async (t) => {
  // The kubelet copies a changed ConfigMap into the pod within about a minute.
  await until("the rules in Prometheus", 150_000, async () => {
    const proxy = "/api/v1/namespaces/monitoring/services/prometheus:9090/proxy";
    await prometheus.kubectl.try(["create", "--raw", `${proxy}/-/reload`, "-f", "-"], { input: "" });
    const { data } = JSON.parse(await prometheus.kubectl.run(["get", "--raw", `${proxy}/api/v1/rules`]));
    type Group = { readonly name: string; readonly rules: readonly { readonly health: string }[] };
    const rules = (data.groups as Group[]).find(({ name }) => name === "grpc-lb")?.rules ?? [];
    const isHealthy = rules.length > 0 && rules.every(({ health }) => health === "ok");
    return isHealthy ? { value: true } : { seen: `${rules.length} rules: ${rules.map(({ health }) => health)}` };
  });
  const [mean] = await prometheus.waitFor(`namespace_app:grpc_server_calls:mean1m{namespace="${namespace}"}`, 60_000);
  const pods = await prometheus.query(`namespace_app_pod:grpc_server_calls:rate1m{namespace="${namespace}"}`);
  report(t, `calls a second: ${pods.map(({ value }) => value.toFixed(1)).join(", ")}, mean ${mean?.value.toFixed(1)}`);
  assert.deepEqual(await prometheus.query(`ALERTS{namespace="${namespace}"}`), []);
  await requireNoErrors(t);
});
