/**
 * The time from the API server's event to the first call on a new pod: `node k8s/bench/first-call.bench.ts [--json]`, on the cluster
 * of the current context, in a namespace that it deletes. A separate watch observes the event; this process calls continuously,
 * through the resolver and, for comparison, through DNS. Where there is Go, a grpc-go client with kuberesolver takes turns with
 * it (go-client/).
 */
import { randomBytes } from "node:crypto";
import { systemClock } from "@grpc-lb/core";
import { createKubeconfigAccess, createKubernetesSource } from "@grpc-lb/discovery/kubernetes";
import { registerResolvers } from "@grpc-lb/resolver";
import { createKubectl } from "../cluster/kubectl.ts";
import { startLoad } from "../e2e/load.ts";
import { makeOk } from "../e2e/make.ts";
import { progress } from "../e2e/report.ts";
import { scaleServer } from "../e2e/server.ts";
import { buildGoClient } from "./go-client.ts";

const rounds = 9;
const dnsLimitMs = 30_000;
const boundMs = 20;
const namespace = `grpc-lb-bench-${randomBytes(3).toString("hex")}`;
const kubectl = await createKubectl(namespace);
if ((await kubectl.try(["get", "--raw", "/readyz"])).code !== 0) {
  process.stdout.write("first-call: skipped, the current context has no cluster\n");
  process.exit(0);
}
registerResolvers();

/** When a watch of this process, separate from the resolver, first saw an endpoint, by pod name. */
const seenMs = new Map<string, number>();
const watching = new AbortController();
const watch = async () => {
  const access = await createKubeconfigAccess();
  const source = createKubernetesSource({ service: "server", namespace, port: "grpc", access });
  for await (const { endpoints } of source.watch(watching.signal)) {
    for (const { metadata } of endpoints ?? []) {
      const { podName } = metadata;
      if (podName !== undefined && !seenMs.has(podName)) seenMs.set(podName, systemClock.now());
    }
  }
};

/** A client that calls continuously. */
interface Caller {
  /** When the pod answered first; undefined if it has not. */
  firstMs(pod: string): number | undefined;
  stop(): Promise<void>;
}

function startOurs(target: string): Caller {
  const load = startLoad(target, 1);
  return {
    firstMs: (pod) => load.calls.find((call) => call.pod === pod)?.atMs,
    stop: () => load.stop(),
  };
}

/** Scales from one pod to two; returns the milliseconds from the event to the first answer of the new one, undefined without one. */
async function measure(start: () => Caller, limitMs: number): Promise<number | undefined> {
  const [old] = await scaleServer(kubectl, 1);
  const caller = start();
  await systemClock.sleep(1_000);
  const both = await scaleServer(kubectl, 2);
  const pod = both.find((name) => name !== old) ?? "";
  const untilMs = systemClock.now() + limitMs;
  while (caller.firstMs(pod) === undefined && systemClock.now() < untilMs) await systemClock.sleep(20);
  await caller.stop();
  const [at, event] = [caller.firstMs(pod), seenMs.get(pod)];
  return at === undefined || event === undefined ? undefined : at - event;
}

const sorted = (values: readonly (number | undefined)[]) =>
  values.map((value) => value ?? Number.POSITIVE_INFINITY).sort((a, b) => a - b);
const medianOf = (values: readonly number[]) => values[Math.floor(values.length / 2)] ?? Number.NaN;

try {
  await makeOk("docker-build");
  await makeOk("kube-deploy", { NAMESPACE: namespace, STRATEGY: "headless-dns" });
  await kubectl.run(["scale", "deployment/client-http", "deployment/client-grpc", "--replicas=0"]);
  void watch();
  const go = await buildGoClient();
  if (typeof go === "string") progress(`the Go client is skipped: ${go}`);
  // The clients take turns: together they would compete for the processors.
  const ours: (number | undefined)[] = [];
  const goes: (number | undefined)[] = [];
  for (let round = 1; round <= rounds; round++) {
    const ms = await measure(() => startOurs(`kubernetes:///server.${namespace}:grpc`), 10_000);
    ours.push(ms);
    progress(`resolver, round ${round} of ${rounds}: ${ms?.toFixed(1)} ms`);
    if (typeof go === "string") continue;
    const goMs = await measure(() => go.start(`kubernetes:///server.${namespace}:grpc`), 10_000);
    goes.push(goMs);
    progress(`grpc-go, round ${round} of ${rounds}: ${goMs?.toFixed(1)} ms`);
  }
  const dns = await kubectl.run([
    "get",
    "service",
    "kube-dns",
    "-n",
    "kube-system",
    "-o",
    "jsonpath={.spec.clusterIP}",
  ]);
  const headless = `dns://${dns}/server-headless.${namespace}.svc.cluster.local:30051`;
  const byDns = await measure(() => startOurs(headless), dnsLimitMs);

  const byResolver = sorted(ours);
  const p50 = medianOf(byResolver);
  const most = byResolver.at(-1) ?? Number.NaN;
  const byGo = typeof go === "string" ? undefined : sorted(goes);
  if (!(p50 <= boundMs)) process.exitCode = 1;
  const dnsText = byDns === undefined ? `none in ${dnsLimitMs / 1000} s` : `${byDns.toFixed(0)} ms`;
  if (process.argv.includes("--json")) {
    process.stdout.write(
      `${JSON.stringify({ resolverMs: byResolver, p50Ms: p50, boundMs, goMs: byGo ?? null, dnsMs: byDns ?? null })}\n`,
    );
  } else {
    process.stdout.write(`event → first call on the new pod, ${rounds} rounds\n`);
    process.stdout.write(
      `  resolver  p50 ${p50.toFixed(1)} ms, max ${most.toFixed(1)} ms  bound ${boundMs} ms  ${p50 <= boundMs ? "PASS" : "MISS"}\n`,
    );
    const goText = byGo ? `p50 ${medianOf(byGo).toFixed(1)} ms, max ${byGo.at(-1)?.toFixed(1)} ms` : "skipped";
    process.stdout.write(`  grpc-go   ${goText}\n`);
    process.stdout.write(`  dns       ${dnsText}\n`);
  }
} finally {
  watching.abort();
  await kubectl.try(["delete", "namespace", namespace, "--ignore-not-found", "--timeout=120s"]);
}
