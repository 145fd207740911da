/**
 * Unary calls per second with interceptors relative to those without, 64 in flight against one server: `node unary.bench.ts [--json]`.
 * Short slices are interleaved, shorter than what else runs on a machine; a figure is the median of the rounds' ratios. A processor time is
 * that of the least disturbed tenth of the rounds.
 */
import { join } from "node:path";
import { credentials, type Interceptor } from "@grpc/grpc-js";
import { startProgram } from "@grpc-lb/program/testing";
import { PodServiceClient } from "@grpc-lb/protos/pod/v1";
import { startTelemetry } from "./telemetry.ts";

const inFlight = 64;
const rounds = 120;
const sliceMs = 25;
const warmUpMs = 2_000;

const telemetry = startTelemetry();
const { metrics, metricsWithSizes, all } = telemetry.cases;

/** A bound is the least share of the calls per second; undefined for none. */
const cases: readonly {
  readonly name: string;
  readonly bound: number | undefined;
  readonly interceptors: readonly Interceptor[];
}[] = [
  { name: "metrics", bound: 0.97, interceptors: metrics },
  { name: "metrics with sizes", bound: undefined, interceptors: metricsWithSizes },
  { name: "metrics with sizes, traces of 1 %", bound: 0.85, interceptors: all },
];

const server = startProgram(join(import.meta.dirname, "server.ts"), []);
const { port } = JSON.parse(await server.line((text) => text.startsWith("{")));

function open(interceptors: readonly Interceptor[]): PodServiceClient {
  return new PodServiceClient(`127.0.0.1:${port}`, credentials.createInsecure(), {
    "grpc.use_local_subchannel_pool": 1,
    interceptors: [...interceptors],
  });
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
      calls += 1;
      await new Promise<void>((resolve, reject) => client.getPod({}, (error) => (error ? reject(error) : resolve())));
    }
  };
  await Promise.all(Array.from({ length: inFlight }, worker));
  const { user, system } = process.cpuUsage(usage);
  return { callsPerSecond: (calls * 1_000) / (performance.now() - began), cpuUs: (user + system) / calls };
}

const quantile = (values: readonly number[], share: number): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length * share)] ?? Number.NaN;
const median = (values: readonly number[]): number => quantile(values, 0.5);
const mean = (a: Speed, b: Speed): Speed => ({
  callsPerSecond: (a.callsPerSecond + b.callsPerSecond) / 2,
  cpuUs: (a.cpuUs + b.cpuUs) / 2,
});

const results = [];
for (const { name, bound, interceptors } of cases) {
  const own = open(interceptors);
  const reference = open([]);
  for (const client of [own, reference, own, reference]) await measure(client, warmUpMs);
  const speeds: { own: Speed; reference: Speed }[] = [];
  for (let round = 0; round < rounds; round++) {
    // A B B A, then B A A B: what drifts within a round, be it the machine or the heap, hits both alike.
    const [outer, inner] = round % 2 === 0 ? [own, reference] : [reference, own];
    const first = await measure(outer, sliceMs);
    const between = mean(await measure(inner, sliceMs), await measure(inner, sliceMs));
    const around = mean(first, await measure(outer, sliceMs));
    speeds.push(outer === own ? { own: around, reference: between } : { own: between, reference: around });
    telemetry.reset();
  }
  for (const client of [own, reference]) client.close();
  const value = median(speeds.map((each) => each.own.callsPerSecond / each.reference.callsPerSecond));
  const cpu = (key: "own" | "reference") =>
    quantile(
      speeds.map((each) => each[key].cpuUs),
      0.1,
    );
  results.push({
    name,
    value: Number(value.toFixed(3)),
    bound,
    result: bound === undefined ? "no bound" : value >= bound ? "PASS" : "MISS",
    callsPerSecond: Math.round(median(speeds.map((each) => each.own.callsPerSecond))),
    cpuUs: Number(cpu("own").toFixed(1)),
    cpuUsWithout: Number(cpu("reference").toFixed(1)),
  });
}
server.kill("SIGKILL");
await server.exited;
await telemetry.close();
if (results.some(({ result }) => result === "MISS")) process.exitCode = 1;
if (process.argv.includes("--json")) process.stdout.write(`${JSON.stringify(results, undefined, 2)}\n`);
else {
  for (const { name, value, bound, result, callsPerSecond, cpuUs, cpuUsWithout } of results) {
    process.stdout.write(
      `${name}: ${value} of the calls per second without (${bound === undefined ? result : `bound ${bound}: ${result}`}); ${callsPerSecond}/s, ${cpuUs} µs of processor time a call, ${cpuUsWithout} µs without\n`,
    );
  }
}
