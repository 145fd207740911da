/**
 * Unary calls per second with each policy relative to grpc-js's round_robin, 64 in flight against three servers:
 * `node unary.bench.ts [--json] [--policies random,maglev]`. Short slices are interleaved; a figure is the median of the
 * rounds' ratios. Both send the header that hash policies read.
 */
import { credentials, type Metadata } from "@grpc/grpc-js";
import { PodServiceClient } from "@grpc-lb/protos/pod/v1";
import { choosePolicies, createSessions, orca, policyOf, roundRobin } from "./cases.ts";
import { startServers } from "./servers.ts";
import { median, type Row, report } from "./table.ts";

const inFlight = 64;
const rounds = 36;
const sliceMs = 100;
const warmUpMs = 700;

const sessions = createSessions(1_024);

/** @throws Error when the channel is not ready within 10 s */
async function open(target: string, policy: object): Promise<PodServiceClient> {
  const client = new PodServiceClient(target, credentials.createInsecure(), {
    "grpc.use_local_subchannel_pool": 1,
    "grpc.service_config": JSON.stringify({ loadBalancingConfig: [policy] }),
  });
  await new Promise<void>((resolve, reject) =>
    client.waitForReady(Date.now() + 10_000, (error) => (error ? reject(error) : resolve())),
  );
  return client;
}

/** What one slice gives. */
interface Speed {
  readonly callsPerSecond: number;
  /** What a call takes of this process's processor time, in microseconds: it is steadier where others are at work. */
  readonly cpuUs: number;
}

async function measure(client: PodServiceClient, ms: number): Promise<Speed> {
  const began = performance.now();
  const usage = process.cpuUsage();
  let calls = 0;
  const worker = async () => {
    while (performance.now() - began < ms) {
      const session = sessions[calls & 1_023] as Metadata;
      calls += 1;
      await new Promise<void>((resolve, reject) =>
        client.getPod({}, session, (error) => (error ? reject(error) : resolve())),
      );
    }
  };
  await Promise.all(Array.from({ length: inFlight }, worker));
  const { user, system } = process.cpuUsage(usage);
  return { callsPerSecond: (calls * 1_000) / (performance.now() - began), cpuUs: (user + system) / calls };
}

const mean = (a: Speed, b: Speed): Speed => ({
  callsPerSecond: (a.callsPerSecond + b.callsPerSecond) / 2,
  cpuUs: (a.cpuUs + b.cpuUs) / 2,
});

async function compare(name: string): Promise<Row> {
  const { addresses, target, close } = await startServers([0, 1, 2].map(() => (name === orca ? ["--orca"] : [])));
  const weights = Object.fromEntries(addresses.map((address, n) => [address, n + 1]));
  const own = await open(target, policyOf(name, weights));
  const reference = await open(target, policyOf(roundRobin));
  for (const client of [own, reference, own, reference]) await measure(client, warmUpMs); // the compiler warms up
  const speeds: { own: Speed; reference: Speed }[] = [];
  for (let round = 0; round < rounds; round++) {
    // A B B A, then B A A B: what drifts within a round, be it the machine or the heap, hits both alike.
    const [outer, inner] = round % 2 === 0 ? [own, reference] : [reference, own];
    const first = await measure(outer, sliceMs);
    const between = mean(await measure(inner, sliceMs), await measure(inner, sliceMs));
    const around = mean(first, await measure(outer, sliceMs));
    speeds.push(outer === own ? { own: around, reference: between } : { own: between, reference: around });
  }
  for (const client of [own, reference]) client.close();
  await close();
  const rate = (key: "own" | "reference") => `${Math.round(median(speeds.map((each) => each[key].callsPerSecond)))}/s`;
  const cpu = median(speeds.map((each) => each.own.cpuUs / each.reference.cpuUs));
  return {
    name: `${name} ÷ ${roundRobin}`,
    value: median(speeds.map((each) => each.own.callsPerSecond / each.reference.callsPerSecond)),
    unit: "",
    bound: 0.97,
    sense: ">=",
    detail: `${rate("own")}, ${roundRobin} ${rate("reference")}; processor time a call ${cpu.toFixed(3)} ×`,
  };
}

const rows: Row[] = [];
for (const name of choosePolicies()) rows.push(await compare(name));
report(rows);
