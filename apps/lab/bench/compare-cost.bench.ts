/**
 * What a call costs directly, balanced by `least_request` in the client, and through each L7 proxy of this machine: latency,
 * throughput, processor time of client and proxy, and memory. With a cluster whose context is current and that runs Istio, also
 * between its pods: directly (`pods`) and with sidecars (`istio`), after `make docker-build` and `make kube-load`. The ways take
 * turns in one run; read the ratios: direct ÷ proxy, pods ÷ istio.
 *
 *   node apps/lab/bench/compare-cost.bench.ts [--rounds 15] [--slice 500] [--json]
 */
import { mkdtemp, rm } from "node:fs/promises";
import { cpus, release, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { messageOf } from "@grpc-lb/core";
import { ProcessGroup } from "../src/processes/process-group.ts";
import { startLocalWays } from "./cost/local-ways.ts";
import { type MeasureOptions, measureWays } from "./cost/measure.ts";
import { deleteMesh, startMeshWays, whyNoMesh } from "./cost/mesh-ways.ts";
import { type Row, renderTable, rowsOf } from "./cost/report.ts";
import type { Way } from "./cost/way.ts";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "15" },
    slice: { type: "string", default: "500" },
    json: { type: "boolean", default: false },
  },
});
/** A call that goes straight to its pod is faster than one through a proxy. */
const maxP50Ratio = 1;
const measured = { rounds: Number(values.rounds), sliceMs: Number(values.slice) };
const plans: readonly MeasureOptions[] = [1, 64].map((inFlight) => ({ ...measured, inFlight }));

const interruption = new AbortController();
for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => interruption.abort());
const { signal } = interruption;

const rows: Row[] = [];
const skipped: string[] = [];
try {
  await measureLocal();
  if (!signal.aborted) await measureMesh();
  report();
} catch (error) {
  process.stderr.write(`compare-cost: ${messageOf(error)}\n`);
  process.exitCode = 1;
}

async function measureLocal(): Promise<void> {
  const group = new ProcessGroup();
  const folder = await mkdtemp(join(tmpdir(), "grpc-lb-cost-"));
  try {
    const local = await startLocalWays(group, folder, signal);
    skipped.push(...local.skipped);
    await Promise.race([measure(local.ways), group.failed]);
  } finally {
    await group.close();
    await rm(folder, { recursive: true, force: true });
  }
}

async function measureMesh(): Promise<void> {
  const why = await whyNoMesh();
  if (why !== undefined) return void skipped.push(`istio: ${why}`);
  try {
    await measure(await startMeshWays());
  } finally {
    await deleteMesh();
  }
}

async function measure(ways: readonly Way[]): Promise<void> {
  for (const plan of plans) {
    if (signal.aborted) break;
    process.stderr.write(`${plan.inFlight} in flight: ${ways.map(({ name }) => name).join(", ")}\n`);
    rows.push(...rowsOf(await measureWays(ways, plan, signal), plan.inFlight));
  }
  await Promise.all(ways.map(({ caller }) => caller.close()));
}

function report(): void {
  for (const reason of skipped) process.stderr.write(`skipped ${reason}\n`);
  const machine = `${cpus().length} × ${cpus()[0]?.model ?? "unknown"}, Linux ${release()}, Node ${process.version}`;
  if (values.json) {
    process.stdout.write(`${JSON.stringify({ machine, skipped, rows }, undefined, 2)}\n`);
  } else {
    process.stdout.write(`${renderTable(rows).join("\n")}\n\n`);
    process.stdout.write("CPU/1000: processor time of the client and of what is between, for 1000 calls.\n");
    process.stdout.write(`Ratios: direct ÷ way, pods ÷ istio.\n${machine}\n`);
  }
  const missed = rows.filter(({ ratio }) => ratio.p50 > maxP50Ratio);
  if (missed.length === 0 && !signal.aborted) return;
  for (const { way, inFlight } of missed) process.stderr.write(`missed: ${way}, ${inFlight} in flight: p50 ratio\n`);
  process.exitCode = 1;
}
