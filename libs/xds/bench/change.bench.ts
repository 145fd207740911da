/**
 * What a change costs a control plane: 200 clusters of 50 endpoints, 1 000 clients over real connections that have them all, and one
 * endpoint changes: `node change.bench.ts [--json] [--clients=1000] [--clusters=200] [--endpoints=50]`. CPU is that of the server's
 * process, the clients run in others. It compares delta with the state of the world, and a change of one endpoint with one of a cluster
 * and with one of all endpoints. It fails when a change of one endpoint costs delta more than 1 ms of CPU a client, or 4 kB for 50
 * endpoints a cluster.
 */
import { fork } from "node:child_process";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import { type Resource, SnapshotCache } from "../src/cache/index.ts";
import { createAdsServer } from "../src/server/index.ts";
import { typeUrls } from "../src/type-urls.ts";
import { sampleCluster, sampleEndpoints } from "../testing/sample-resources.ts";

const flag = (name: string, value: number) =>
  Number(process.argv.find((each) => each.startsWith(`--${name}=`))?.slice(name.length + 3) ?? value);
const clusters = flag("clusters", 200);
const endpointsPerCluster = flag("endpoints", 50);
const clients = flag("clients", 1_000);
const processes = 4;
const rounds = 10;

const names = Array.from({ length: clusters }, (_, i) => `outbound-8080-service-${i}`);
const endpointsOf = (name: string, i: number, seed: number) =>
  sampleEndpoints(
    name,
    Array.from({ length: endpointsPerCluster }, (_, k) => 1_024 + ((i * endpointsPerCluster + k + seed) % 60_000)),
  );
const middle = Math.floor(clusters / 2);
const wholeSet = (seed: number): Resource[] => [
  ...names.map((name) => sampleCluster(name)),
  ...names.map((name, i) => endpointsOf(name, i, seed)),
];

const isChanged = (typeUrl: string, name: string) => typeUrl === typeUrls.cluster && name === names[middle];

interface Row {
  readonly protocol: string;
  readonly change: string;
  readonly bytesPerClient: number;
  readonly cpuMs: number;
  readonly wallMs: number;
}

async function measure(protocol: "delta" | "sotw"): Promise<Row[]> {
  const cache = new SnapshotCache();
  cache.setSnapshot("", wholeSet(0));
  const ads = createAdsServer({ cache, limits: { maxStreamsPerHost: clients } });
  const server = new Server(); // no pings: the clients of one process may be too busy to answer
  ads.addTo(server);
  const port = await promisify(server.bindAsync.bind(server))("127.0.0.1:0", ServerCredentials.createInsecure());
  const children = Array.from({ length: processes }, () =>
    fork(new URL("clients.ts", import.meta.url), [
      String(port),
      protocol,
      String(clients / processes),
      String(clusters),
    ]),
  );
  for (const child of children) child.once("exit", onLost);
  const settle = async () => {
    // All have answered: as many requests as responses, plus the two subscriptions of each client.
    for (;;) {
      const { requests, responses, streams } = ads.stats();
      if (streams === clients && requests === responses + 2 * clients && responses >= 2 * clients) return;
      await delay(5);
    }
  };
  const rows: Row[] = [];
  const run = async (change: string, times: number, apply: (round: number) => void) => {
    await settle();
    const before = ads.stats();
    const cpu = process.cpuUsage();
    const began = performance.now();
    for (let round = 1; round <= times; round++) {
      const { responses } = ads.stats();
      apply(round);
      while (ads.stats().responses < responses + clients) await delay(1);
      await settle();
    }
    const wallMs = (performance.now() - began) / times;
    const { user, system } = process.cpuUsage(cpu);
    const bytesPerClient = (ads.stats().responseBytes - before.responseBytes) / times / clients;
    rows.push({ protocol, change, bytesPerClient, cpuMs: (user + system) / 1_000 / times, wallMs });
  };
  await settle();
  const { responseBytes } = ads.stats();
  rows.push({
    protocol,
    change: "first set",
    bytesPerClient: responseBytes / clients,
    cpuMs: Number.NaN,
    wallMs: Number.NaN,
  });
  await run("one endpoint", rounds, (round) => {
    cache.updateSnapshot("", { upserts: [endpointsOf(names[middle] ?? "", middle, round)] });
  });
  await run("one endpoint, by the whole set", rounds, (round) => {
    const resources = current(cache);
    cache.setSnapshot("", [...resources.slice(1), endpointsOf(resources[0]?.name ?? "", 0, 100 + round)]);
  });
  await run("one cluster", 1, () => {
    cache.updateSnapshot("", { upserts: [sampleCluster(names[middle] ?? "", 6)] });
  });
  await run("all endpoints", 1, () => {
    cache.setSnapshot("", [
      ...wholeSet(1_000).filter(({ name, typeUrl }) => !isChanged(typeUrl, name)),
      sampleCluster(names[middle] ?? "", 6),
    ]);
  });
  for (const child of children) child.off("exit", onLost).kill();
  server.forceShutdown();
  return rows;
}

function onLost(): never {
  throw new Error("a process of clients has ended");
}

function current(cache: SnapshotCache): Resource[] {
  const snapshot = cache.snapshot("");
  const types = [...(snapshot?.typeUrls() ?? [])].sort().reverse(); // endpoints first
  return types.flatMap((typeUrl) => [...(snapshot?.all(typeUrl).values() ?? [])]);
}

/** Milliseconds of CPU that a change of one of 20 000 resources costs the cache, with its encoding: by itself, and as a whole set. */
function measureCache(): { readonly updateMs: number; readonly setMs: number } {
  const count = 10_000;
  const endpoints = (i: number, port: number) => sampleEndpoints(`service-${i}`, [port]);
  const set = Array.from({ length: count }, (_, i) => [sampleCluster(`service-${i}`), endpoints(i, 1)]).flat();
  const cache = new SnapshotCache();
  cache.setSnapshot("", set);
  const cpuOf = (times: number, change: (port: number) => void) => {
    for (let i = 0; i < times; i++) change(2 + i); // the compiler warms up
    const cpu = process.cpuUsage();
    for (let i = 0; i < times; i++) change(2 + times + i);
    const { user, system } = process.cpuUsage(cpu);
    return (user + system) / 1_000 / times;
  };
  return {
    updateMs: cpuOf(1_000, (port) => cache.updateSnapshot("", { upserts: [endpoints(count - 1, port)] })),
    setMs: cpuOf(20, (port) => cache.setSnapshot("", [...set.slice(0, -1), endpoints(count - 1, port)])),
  };
}

const { updateMs, setMs } = measureCache();
const rows = [...(await measure("delta")), ...(await measure("sotw"))];
if (process.argv.includes("--json")) process.stdout.write(`${JSON.stringify({ updateMs, setMs, rows })}\n`);
else {
  const number = (value: number, digits: number) => (Number.isNaN(value) ? "-" : value.toFixed(digits));
  process.stdout.write(
    `one of 20 000 resources: updateSnapshot ${updateMs.toFixed(3)} ms, setSnapshot ${setMs.toFixed(1)} ms\n\n`,
  );
  process.stdout.write(
    "| protocol | change | bytes a client | CPU, all clients | until all have answered |\n|---|---|---|---|---|\n",
  );
  for (const { protocol, change, bytesPerClient, cpuMs, wallMs } of rows) {
    process.stdout.write(
      `| ${protocol} | ${change} | ${number(bytesPerClient, 0)} | ${number(cpuMs, 0)} ms | ${number(wallMs, 0)} ms |\n`,
    );
  }
}
const one = rows.find(({ protocol, change }) => protocol === "delta" && change === "one endpoint");
process.exit(one && one.bytesPerClient < 80 * endpointsPerCluster && one.cpuMs < clients ? 0 : 1);
