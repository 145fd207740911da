/**
 * Load steers: one pod of four is ten times as slow, and clients that know nothing but round robin send it a quarter of their calls,
 * until the control plane changes its weight by the load that the servers (`orca`) or the clients (`lrs`) report.
 */
import assert from "node:assert/strict";
import { alignTable } from "../cluster/table.ts";
import { changeServices, configureControlPlane, readXdsBootstrap } from "./control-plane.ts";
import { buildImages } from "./images.ts";
import { makeOk } from "./make.ts";
import { type ClientEnv, startClients } from "./policy-client.ts";
import { programImage } from "./program-image.ts";
import { deployVariant, serversToBe } from "./server-variant.ts";
import { beginStory } from "./story.ts";
import { shareOf, type TimedCall, type TimedClient, timedCalls, timedCallsUntil } from "./timed-calls.ts";

const { kubectl, inNamespace, step, report } = await beginStory("steering");
const envoy = await programImage(kubectl, "envoy");

/** 40 calls a second, and 4. Calls take so long that a busy machine's delays are small in comparison. */
const fast = { LATENCY: "100ms", CAPACITY: "4", LOAD_REPORT: "true" };
const slow = { ...fast, LATENCY: "1s" };
const servers = { "server-fast": 3, "server-slow": 1 };
/** 40 callers with a pause of 1 s: about 36 calls a second to fast servers, of which a quarter is too much for the slow one. */
const load = { INTERVAL: "1s", CONCURRENCY: "40", TIMEOUT: "30s", EVENTS: "true" };

const services = (steering: "off" | "orca" | "lrs") => ({
  server: { target: "kubernetes:///server:grpc", envoyPort: 30_051, steering },
});
/** By turns, as often as the weight of an endpoint says. */
const byWeight = 'weighted_round_robin{"source":"static"}';
const clients: Readonly<Record<string, { readonly by: readonly ("orca" | "lrs")[]; readonly env: ClientEnv }>> = {
  // Of these gRPC's own client alone reports its load: our source cannot, and Envoy is not configured to.
  lookaside: { by: ["orca"], env: { TARGET: "xds://control-plane:18000/server", POLICY: byWeight } },
  xds: { by: ["orca", "lrs"], env: { TARGET: "xds:///server", ...(await readXdsBootstrap(kubectl)) } },
  "envoy-xds": { by: ["orca"], env: { TARGET: "envoy:30051" } },
};
let controlPlane = "";
const rows: string[][] = [];

/** What is measured of some calls. */
interface Measured {
  readonly share: number;
  readonly p50: number;
  readonly p99: number;
  readonly callsPerSecond: number;
}

function measure(calls: readonly TimedCall[]): Measured {
  const sorted = calls.map(({ ms }) => ms).sort((a, b) => a - b);
  const quantile = (q: number) => sorted[Math.ceil(q * sorted.length) - 1] ?? Number.NaN;
  const seconds = ((calls.at(-1)?.atMs ?? 0) - (calls[0]?.atMs ?? 0)) / 1_000;
  return {
    share: shareOf(calls, "server-slow-"),
    p50: quantile(0.5),
    p99: quantile(0.99),
    callsPerSecond: (calls.length - 1) / seconds,
  };
}

function addRow(client: string, steering: string, halved: string, measured: Measured): void {
  const { share, p50, p99, callsPerSecond } = measured;
  const figures = [`${(share * 100).toFixed(1)} %`, `${p50.toFixed(0)} ms`, `${p99.toFixed(0)} ms`];
  rows.push([client, steering, ...figures, callsPerSecond.toFixed(0), halved]);
}

/** The next calls after those that have ended. */
async function nextCalls(client: TimedClient, count: number): Promise<readonly TimedCall[]> {
  const last = (await timedCalls(kubectl, client)).at(-1)?.atMs ?? 0;
  return timedCallsUntil(kubectl, client, { sinceMs: last + 1, count, what: `${count} calls` });
}

step("make kube-deploy STRATEGY=envoy-xds; three servers, and one that is ten times as slow", async (t) => {
  if (envoy.image === null) return t.skip(envoy.why);
  await buildImages();
  const image = envoy.image ? { ENVOY_IMAGE: envoy.image } : {};
  await makeOk("kube-deploy", { ...inNamespace, STRATEGY: "envoy-xds", ...image });
  await kubectl.run(["scale", "deployment/server", "deployment/client-http", "deployment/client-grpc", "--replicas=0"]);
  for (const [name, env] of Object.entries({ "server-fast": fast, "server-slow": slow }))
    await deployVariant(kubectl, { name, replicas: name === "server-slow" ? 1 : 3, env, zone: undefined });
  const pods = await serversToBe(kubectl, servers);
  report(t, pods.map(({ name }) => name).join(", "));
  controlPlane = await configureControlPlane(kubectl, services("off"));
});

for (const [name, { by, env }] of Object.entries(clients)) {
  for (const steering of by) {
    step(`${name}: with steering by ${steering}, the slow pod's share and the latency fall`, async (t) => {
      if (envoy.image === null) return t.skip(envoy.why);
      const client = { pod: `${name}-${steering}`, container: "client" };
      await startClients(kubectl, client.pod, { client: { ...load, ...env } });
      const even = (calls: readonly TimedCall[]) => shareOf(calls, "server-slow-") > 0.2;
      // Until the connections are open, and the slow pod's queue is as long as it gets.
      await timedCallsUntil(kubectl, client, { sinceMs: 0, count: 100, what: "calls in turn", fit: even });
      const before = measure(await nextCalls(client, 200));
      addRow(name, "off", "", before);

      const { configuredMs } = await changeServices(kubectl, controlPlane, services(steering));
      const fit = (calls: readonly TimedCall[]) => {
        const { share, p99 } = measure(calls);
        return share <= before.share / 2 && p99 <= before.p99 / 2;
      };
      const what = "half of the slow pod's share, and half of the p99";
      const halved = await timedCallsUntil(kubectl, client, { sinceMs: configuredMs, count: 100, what, fit });
      const halvedMs = (halved.at(-1)?.atMs ?? 0) - configuredMs;
      await nextCalls(client, 200); // the weights go on towards what the load wants
      const after = measure(await nextCalls(client, 400));
      addRow(name, steering, `${(halvedMs / 1_000).toFixed(1)} s`, after);
      const failed = (await timedCalls(kubectl, client)).flatMap(({ error }) => error ?? []);

      await kubectl.run(["delete", `pod/${client.pod}`, "--wait=false"]);
      await changeServices(kubectl, controlPlane, services("off"));
      report(t, `share × ${(after.share / before.share).toFixed(2)}, p99 × ${(after.p99 / before.p99).toFixed(2)}`);
      assert.deepEqual(failed, []);
      assert.ok(after.share > 0, "the slow pod must still be used");
      // Not the p99 again: one stall of the machine among these calls would decide it.
      assert.ok(after.share <= before.share / 2, `the slow pod's share: ${before.share}, then ${after.share}`);
    });
  }
}

step("what steering changes", async (t) => {
  if (envoy.image === null) return t.skip(envoy.why);
  const titles = ["client", "steering", "share of the slow pod", "p50", "p99", "calls/s", "both halved after"];
  const columns = titles.map((title, n) => ({ title, align: n < 2 ? ("left" as const) : ("right" as const) }));
  for (const line of alignTable(columns, rows)) report(t, line);
});
