/**
 * The first call of a client to a server that has just become ready, with and without the server's warm-up. The client is warm
 * and connected, so the difference is code of the server that runs for the first time. Starts alternate; figures are medians.
 *
 *   node apps/server/bench/first-call.bench.ts [--starts 15] [--json]
 */
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { credentials } from "@grpc/grpc-js";
import { startProgram } from "@grpc-lb/program/testing";
import { PodServiceClient } from "@grpc-lb/protos/pod/v1";

const maxRatio = 0.6;
const { values } = parseArgs({
  options: { starts: { type: "string", default: "15" }, json: { type: "boolean", default: false } },
});
const starts = Number(values.starts);
const main = fileURLToPath(new URL("../src/main.ts", import.meta.url));
const flags = "--http-port 0 --grpc-port 0 --bind-address 127.0.0.1 --drain-delay 0".split(" ");
const variants = { warm: [], cold: ["--warm-up", "0"] } as const;

/** Milliseconds of one start. */
interface Times {
  /** From the start of the process to its readiness. */
  readonly start: number;
  readonly firstCall: number;
  /** The median of the calls after the first. */
  readonly laterCall: number;
}

const median = (times: readonly number[]) => [...times].sort((a, b) => a - b)[times.length >> 1] ?? Number.NaN;

async function measure(args: readonly string[]): Promise<Times> {
  const startedMs = performance.now();
  const server = startProgram(main, [...flags, ...args]);
  const { grpcPort } = JSON.parse(await server.line((line) => line.includes('"serving"')));
  const start = performance.now() - startedMs;
  const options = { "grpc.use_local_subchannel_pool": 1 };
  const client = new PodServiceClient(`127.0.0.1:${grpcPort}`, credentials.createInsecure(), options);
  await new Promise<void>((resolve, reject) => {
    client.waitForReady(Date.now() + 10_000, (error) => (error ? reject(error) : resolve()));
  });
  const call = () =>
    new Promise<number>((resolve, reject) => {
      const callMs = performance.now();
      client.getPod({}, (error) => (error ? reject(error) : resolve(performance.now() - callMs)));
    });
  const firstCall = await call();
  const later: number[] = [];
  for (let n = 0; n < 50; n++) later.push(await call());
  client.close();
  server.kill("SIGKILL");
  await server.exited;
  return { start, firstCall, laterCall: median(later) };
}

const times: Record<keyof typeof variants, Times[]> = { warm: [], cold: [] };
await measure([]); // warms the client and the file cache
for (let n = 0; n < starts; n++) {
  for (const name of ["warm", "cold"] as const) times[name].push(await measure(variants[name]));
}

const medianOf = (name: keyof typeof variants, time: keyof Times) => median(times[name].map((each) => each[time]));
const ratio = medianOf("warm", "firstCall") / medianOf("cold", "firstCall");
if (!(ratio <= maxRatio)) process.exitCode = 1;
const result = ratio <= maxRatio ? "PASS" : "MISS";
if (values.json) {
  const rows = Object.keys(variants).map((name) => {
    const of = (time: keyof Times) => medianOf(name as keyof typeof variants, time);
    return { name, startMs: of("start"), firstCallMs: of("firstCall"), laterCallMs: of("laterCall") };
  });
  process.stdout.write(`${JSON.stringify({ starts, ratio, bound: maxRatio, result, rows }, undefined, 2)}\n`);
} else {
  for (const name of ["warm", "cold"] as const) {
    const [start, first, later] = (["start", "firstCall", "laterCall"] as const).map((time) => medianOf(name, time));
    const columns = `first call ${first?.toFixed(2)} ms, later calls ${later?.toFixed(2)} ms, start ${start?.toFixed(0)} ms`;
    process.stdout.write(`${name === "warm" ? "with warm-up   " : "without warm-up"}  ${columns}\n`);
  }
  process.stdout.write(
    `first call, with ÷ without  ${ratio.toFixed(2)}  <= ${maxRatio}  ${result}  ${starts} starts each\n`,
  );
}
