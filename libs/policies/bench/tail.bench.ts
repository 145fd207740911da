/**
 * The tail with one of three servers ten times as slow as the others: `node tail.bench.ts [--json]`.
 *
 * Calls come at random times (Poisson), whether or not those before them have ended, at a rate that all servers together could
 * bear four times over and of which a third is more than the slow one can: with round_robin its queue grows for as long as it
 * lasts. A call's time is from when it was due. Each round gives each policy the same arrivals.
 */
import { setTimeout as delay } from "node:timers/promises";
import { credentials } from "@grpc/grpc-js";
import { createRandom } from "@grpc-lb/core";
import { PodServiceClient } from "@grpc-lb/protos/pod/v1";
import { registerPolicies } from "../src/registration/register.ts";
import { policyOf, roundRobin } from "./cases.ts";
import { type Envoy, findEnvoy, startEnvoy } from "./envoy.ts";
import { startServers } from "./servers.ts";
import { type Figure, median, quantile, type Row, report } from "./table.ts";

const concurrency = 4;
const fastMs = 5;
const slowMs = 50;
const callsPerSecond = 400;
const lastsMs = 5_000;
const warmUpMs = 1_000;
const rounds = 3;
const bound = 0.35;

/** What came of one round. */
interface Tail {
  readonly p50: number;
  readonly p99: number;
  /** The part of the calls that the slow server took. */
  readonly slowShare: number;
}

/** When calls are due, in milliseconds. */
function arrivals(seed: number, untilMs: number): number[] {
  const random = createRandom(seed);
  const due: number[] = [];
  const gap = () => (-Math.log(1 - random()) * 1_000) / callsPerSecond;
  for (let at = gap(); at < untilMs; at += gap()) due.push(at);
  return due;
}

async function measure(client: PodServiceClient, due: readonly number[]): Promise<Tail> {
  const began = performance.now();
  let slow = 0;
  const calls: Promise<number>[] = [];
  const call = (dueMs: number) =>
    new Promise<number>((resolve, reject) =>
      client.getPod({}, (error, response) => {
        if (error) return reject(error);
        if (response.pod?.name === "slow") slow += 1;
        resolve(performance.now() - began - dueMs);
      }),
    );
  while (calls.length < due.length) {
    const now = performance.now() - began;
    for (let next = due[calls.length]; next !== undefined && next <= now; next = due[calls.length])
      calls.push(call(next));
    await delay(1);
  }
  const times = await Promise.all(calls); // the queues are empty again
  return { p50: quantile(times, 0.5), p99: quantile(times, 0.99), slowShare: slow / calls.length };
}

const flags = (name: string, ms: number) => [
  "--name",
  name,
  "--service-ms",
  `${ms}`,
  "--concurrency",
  `${concurrency}`,
];
const servers = await startServers([flags("slow", slowMs), flags("fast", fastMs), flags("fast", fastMs)]);
registerPolicies();
const open = (target: string, policy: string) =>
  new PodServiceClient(target, credentials.createInsecure(), {
    "grpc.use_local_subchannel_pool": 1,
    "grpc.service_config": JSON.stringify({ loadBalancingConfig: [policyOf(policy)] }),
  });

const own = ["least_request", "peak_ewma"];
const clients = new Map([roundRobin, ...own].map((name) => [name, open(servers.target, name)]));
const found = findEnvoy();
const between = "least_request of Envoy";
let envoy: Envoy | undefined;
if ("path" in found) {
  envoy = await startEnvoy(found.path, servers.addresses, "LEAST_REQUEST");
  clients.set(between, open(`ipv4:${envoy.address}`, "pick_first"));
}

const tails = new Map([...clients.keys()].map((name) => [name, [] as Tail[]]));
for (const client of clients.values()) await measure(client, arrivals(0, warmUpMs));
for (let round = 1; round <= rounds; round++) {
  for (const [name, client] of clients) tails.get(name)?.push(await measure(client, arrivals(round, lastsMs)));
}
for (const client of clients.values()) client.close();
await envoy?.close();
await servers.close();

const middle = (name: string, key: keyof Tail) => median((tails.get(name) ?? []).map((tail) => tail[key]));
const detail = (name: string) =>
  `p50 ${middle(name, "p50").toFixed(1)} ms, ${(middle(name, "slowShare") * 100).toFixed(1)} % of the calls to the slow server`;
const ratios = (name: string) =>
  (tails.get(name) ?? []).map(({ p99 }, round) => p99 / (tails.get(roundRobin)?.[round]?.p99 ?? Number.NaN));
const ratio = (name: string) => ({
  name: `p99 of ${name} ÷ ${roundRobin}`,
  value: median(ratios(name)),
  unit: "",
  detail: `in ${rounds} rounds ${ratios(name)
    .map((each) => each.toFixed(3))
    .join(", ")}`,
});
const rows: (Row | Figure)[] = [...clients.keys()].map((name) => ({
  name: `p99 of ${name}`,
  value: middle(name, "p99"),
  unit: " ms",
  detail: detail(name),
}));
for (const name of own) rows.push({ ...ratio(name), bound, sense: "<=" });
if (envoy) rows.push({ ...ratio(between), detail: `${ratio(between).detail}; ${envoy.version}` });
else if ("missing" in found)
  rows.push({ name: `p99 of ${between}`, value: undefined, unit: "", detail: found.missing });
report(rows);
