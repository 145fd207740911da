/**
 * A canary by the control plane's configuration: 90/10, 50/50, 0/100 between two services, edited in a ConfigMap while gRPC's own client
 * and one of Envoy call, and at the end without the old service. No call fails, and the shares are those of the weights.
 */
import assert from "node:assert/strict";
import { alignTable } from "../cluster/table.ts";
import { changePoint } from "./change-point.ts";
import { changeServices, configureControlPlane, readXdsBootstrap, type ServicesChange } from "./control-plane.ts";
import { buildImages } from "./images.ts";
import { makeOk } from "./make.ts";
import { startClients } from "./policy-client.ts";
import { programImage } from "./program-image.ts";
import { deployVariant, exposeVariant, scaleVariants, serversToBe } from "./server-variant.ts";
import { beginStory } from "./story.ts";
import { shareOf, type TimedCall, timedCalls, timedCallsUntil } from "./timed-calls.ts";

const { kubectl, inNamespace, step, report } = await beginStory("canary");
const envoy = await programImage(kubectl, "envoy");

const [v1, v2] = ["server-v1", "server-v2"] as const;
const pod = "callers";
const load = { INTERVAL: "10ms", CONCURRENCY: "2", EVENTS: "true" };
const clients = {
  xds: { ...load, TARGET: "xds:///server", ...(await readXdsBootstrap(kubectl)) },
  "envoy-xds": { ...load, TARGET: "envoy:30051" },
};
const names = Object.keys(clients) as (keyof typeof clients)[];

const services = (percent: number) => ({
  [v1]: { target: `kubernetes:///${v1}:grpc` },
  [v2]: { target: `kubernetes:///${v2}:grpc` },
  server: { split: { [v1]: 100 - percent, [v2]: percent }, envoyPort: 30_051 },
});
/** How far chance takes the share of `count` calls from the wanted one: four standard deviations, once in 16 000 times. */
const tolerance = (share: number, count: number) => 4 * Math.sqrt((share * (1 - share)) / count);
const fits = (calls: readonly TimedCall[], share: number) =>
  Math.abs(shareOf(calls, `${v2}-`) - share) <= tolerance(share, calls.length);
const percentOf = (share: number) => `${(share * 100).toFixed(1)} %`;

let controlPlane = "";
const rows: string[][] = [];

/** Waits until the client's calls fit the weights, and then for 1000 more. */
async function shareOfNext(container: string, share: number, sinceMs: number): Promise<number> {
  const client = { pod, container };
  const fit = (calls: readonly TimedCall[]) => fits(calls, share);
  const what = `${container} to send ${percentOf(share)} to ${v2}`;
  const fitting = await timedCallsUntil(kubectl, client, { sinceMs, count: 200, what, fit });
  const next = { sinceMs: (fitting.at(-1)?.atMs ?? 0) + 1, count: 1_000, what: "1000 calls" };
  const calls = (await timedCallsUntil(kubectl, client, next)).slice(0, 1_000);
  assert.ok(fits(calls, share), `${container}: want ${percentOf(share)}, got ${percentOf(shareOf(calls, `${v2}-`))}`);
  return shareOf(calls, `${v2}-`);
}

/** How long after the control plane had the change the client's calls followed it. */
async function followedAfter(container: string, { editedMs, configuredMs }: ServicesChange, [from, to]: Shares) {
  const calls = await timedCalls(kubectl, { pod, container }, editedMs);
  const index = changePoint(
    calls.map((call) => call.pod?.startsWith(`${v2}-`) ?? false),
    from,
    to,
  );
  return Math.max(0, (calls[index]?.atMs ?? Number.NaN) - configuredMs);
}
type Shares = readonly [before: number, after: number];

async function requireNoFailedCall(): Promise<number> {
  const all = await Promise.all(names.map((container) => timedCalls(kubectl, { pod, container })));
  assert.deepEqual(
    all.flat().flatMap(({ error }) => error ?? []),
    [],
  );
  return all.flat().length;
}

step("two services behind one name: 90 of 100 calls go to v1", async (t) => {
  if (envoy.image === null) return t.skip(envoy.why);
  await buildImages();
  const image = envoy.image ? { ENVOY_IMAGE: envoy.image } : {};
  await makeOk("kube-deploy", { ...inNamespace, STRATEGY: "envoy-xds", ...image });
  await kubectl.run(["scale", "deployment/server", "deployment/client-http", "deployment/client-grpc", "--replicas=0"]);
  for (const name of [v1, v2]) {
    await deployVariant(kubectl, { name, replicas: 2, env: {}, zone: undefined });
    await exposeVariant(kubectl, name);
  }
  await serversToBe(kubectl, { [v1]: 2, [v2]: 2 });
  controlPlane = await configureControlPlane(kubectl, services(10));
  await startClients(kubectl, pod, clients);
  const shares = await Promise.all(names.map((name) => shareOfNext(name, 0.1, 0)));
  rows.push(["90/10", "", ...shares.flatMap((share) => [percentOf(share), ""])]);
});

for (const [from, to] of [
  [0.1, 0.5],
  [0.5, 1],
] as const) {
  const split = `${100 - to * 100}/${to * 100}`;
  step(`the weights are edited to ${split}: both clients follow, and no call fails`, async (t) => {
    if (envoy.image === null) return t.skip(envoy.why);
    const change = await changeServices(kubectl, controlPlane, services(to * 100));
    const read = change.configuredMs - change.editedMs;
    const cells = await Promise.all(
      names.map(async (name) => {
        const share = await shareOfNext(name, to, change.configuredMs);
        return [percentOf(share), `${await followedAfter(name, change, [from, to])} ms`];
      }),
    );
    rows.push([split, `${(Math.max(0, read) / 1_000).toFixed(1)} s`, ...cells.flat()]);
    report(t, `${await requireNoFailedCall()} calls, 0 failed`);
  });
}

step("the old service has no pods any more, and no call has failed", async (t) => {
  if (envoy.image === null) return t.skip(envoy.why);
  await scaleVariants(kubectl, { [v1]: 0, [v2]: 2 });
  for (const name of names) await shareOfNext(name, 1, 0);
  const titles = ["v1/v2", "file read after", ...names.flatMap((name) => [`${name}: v2`, "followed after"])];
  const columns = titles.map((title) => ({ title, align: "left" as const }));
  for (const line of alignTable(columns, rows)) report(t, line);
  report(t, `${await requireNoFailedCall()} calls, 0 failed`);
});
