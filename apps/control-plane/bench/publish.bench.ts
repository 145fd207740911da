/**
 * What a publication costs the control plane when one endpoint of a service has changed: `node publish.bench.ts`. From the snapshot of the
 * source to the resources in the cache, for all groups of clients, without sending. It prints milliseconds of CPU, the mean of 40.
 */
import { ManualClock } from "@grpc-lb/core/testing";
import type { Endpoint } from "@grpc-lb/discovery";
import { SnapshotCache } from "@grpc-lb/xds/cache";
import { readConfig } from "../src/config/read-config.ts";
import { Publisher } from "../src/serving/publisher.ts";
import { FakeSources, fakeEndpoint } from "../testing/fake-sources.ts";

const rounds = 40;
const target = "static:///10.0.0.1:80";

function endpointAt(n: number, port = 80): Endpoint {
  const host = `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`;
  const metadata = { podName: `server-${n}`, namespace: "shop" };
  const more = { zone: `zone-${n % 3}`, nodeName: `node-${n % 100}`, metadata };
  return fakeEndpoint(host, { ...more, id: `pod-${n}`, addresses: [{ host, port }] });
}

async function measure(count: number, fields: object) {
  const sources = new FakeSources();
  let published = Promise.withResolvers<void>();
  const cache = new SnapshotCache();
  const publisher = new Publisher({
    ...{ cache, clock: new ManualClock(), createSource: sources.create, syncTimeoutMs: 60_000, minGapMs: 0 },
    onProblem: () => {},
    onPublished: () => published.resolve(),
  });
  publisher.setConfig(readConfig({ services: { server: { target, ...fields } } }));
  while (sources.running.length === 0) await new Promise((resolve) => setImmediate(resolve));
  const endpoints = Array.from({ length: count }, (_, n) => endpointAt(n));
  const publish = async () => {
    published = Promise.withResolvers();
    sources.answer(target, ...endpoints);
    const cpu = process.cpuUsage();
    await published.promise;
    const { user, system } = process.cpuUsage(cpu);
    return (user + system) / 1_000;
  };
  await publish();
  let total = 0;
  for (let round = -rounds; round < rounds; round++) {
    endpoints[count >> 1] = endpointAt(count >> 1, 1_000 + rounds + round);
    const ms = await publish();
    if (round >= 0) total += ms; // the compiler has warmed up
  }
  await publisher.close();
  return total / rounds;
}

process.stdout.write("| endpoints | equal weights | steered |\n|---|---|---|\n");
for (const count of [100, 1_000, 10_000]) {
  const [equal, steered] = [await measure(count, {}), await measure(count, { steering: "orca" })];
  process.stdout.write(`| ${count} | ${equal.toFixed(1)} ms | ${steered.toFixed(1)} ms |\n`);
}
