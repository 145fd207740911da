/**
 * What a call costs directly, balanced by `least_request` in the client, and through each L7 proxy of this machine: latency,
 * throughput, processor time of client and proxy, and memory. With a cluster whose context is current and that runs Istio, also
 * between its pods: directly (`pods`) and with sidecars (`istio`), after `make docker-build` and `make kube-load`. The ways take
 * turns in one run; read the ratios: direct ÷ proxy, pods ÷ istio.
 *
 *   node apps/lab/bench/compare-cost.bench.ts [--rounds 15] [--slice 500ms] [--json]
 */
import { mkdtemp, rm } from "node:fs/promises";
import { cpus, release, tmpdir } from "node:os";
import { join } from "node:path";
import { messageOf } from "@grpc-lb/core";
import { durationFlag, integerFlag, ProgramError, runProgram, switchFlag } from "@grpc-lb/program";
import { ProcessGroup } from "../src/processes/process-group.ts";
import { startLocalWays } from "./cost/local-ways.ts";
import { type MeasureOptions, measureWays } from "./cost/measure.ts";
import { deleteMesh, startMeshWays, whyNoMesh } from "./cost/mesh-ways.ts";
import { type Row, renderTable, rowsOf } from "./cost/report.ts";
import type { Way } from "./cost/way.ts";

/** A call that goes straight to its pod is faster than one through a proxy. */
const maxP50Ratio = 1;
const flags = {
  rounds: integerFlag({ help: "how many slices to measure of each way", default: 15, min: 1 }),
  slice: durationFlag({ help: "how long a slice is", default: 500, minMs: 50 }),
  json: switchFlag({ help: "print JSON instead of a table" }),
};

void runProgram({ name: "compare-cost", summary: "Measures what a call costs.", flags }, async ({ flags, signal }) => {
  const results: Results = { rows: [], skipped: [] };
  const plans = [1, 64].map((inFlight) => ({ inFlight, rounds: flags.rounds, sliceMs: flags.slice }));
  try {
    await measureLocal(plans, results, signal);
    if (!signal.aborted) await measureMesh(plans, results, signal);
  } catch (error) {
    if (!signal.aborted) throw new ProgramError(messageOf(error), { exitCode: 1 });
  }
  if (signal.aborted) throw new ProgramError("stopped before the end, so there are no figures", { exitCode: 130 });
  return report(results, flags.json);
});

/** What was measured, and what was not and why. */
interface Results {
  readonly rows: Row[];
  readonly skipped: string[];
}

async function measureLocal(plans: readonly MeasureOptions[], results: Results, signal: AbortSignal): Promise<void> {
  const group = new ProcessGroup();
  const done = new AbortController();
  const ends = AbortSignal.any([signal, done.signal]);
  const folder = await mkdtemp(join(tmpdir(), "grpc-lb-cost-"));
  try {
    const local = await startLocalWays(group, folder, ends);
    results.skipped.push(...local.skipped);
    await Promise.race([measure(local.ways, plans, results, ends), group.failed]);
  } finally {
    done.abort();
    await group.close();
    await rm(folder, { recursive: true, force: true });
  }
}

async function measureMesh(plans: readonly MeasureOptions[], results: Results, signal: AbortSignal): Promise<void> {
  const why = await whyNoMesh();
  if (why !== undefined) return void results.skipped.push(`istio: ${why}`);
  const done = new AbortController();
  const ends = AbortSignal.any([signal, done.signal]);
  try {
    await measure(await startMeshWays(ends), plans, results, ends);
  } finally {
    done.abort();
    await deleteMesh();
  }
}

async function measure(
  ways: readonly Way[],
  plans: readonly MeasureOptions[],
  { rows }: Results,
  signal: AbortSignal,
): Promise<void> {
  for (const plan of plans) {
    if (signal.aborted) break;
    process.stderr.write(`${plan.inFlight} in flight: ${ways.map(({ name }) => name).join(", ")}\n`);
    rows.push(...rowsOf(await measureWays(ways, plan, signal), plan.inFlight));
  }
}

/** Prints the results; returns the exit code. */
function report({ rows, skipped }: Results, json: boolean): number {
  for (const reason of skipped) process.stderr.write(`skipped ${reason}\n`);
  const machine = `${cpus().length} × ${cpus()[0]?.model ?? "unknown"}, Linux ${release()}, Node ${process.version}`;
  if (json) {
    process.stdout.write(`${JSON.stringify({ machine, skipped, rows }, undefined, 2)}\n`);
  } else {
    process.stdout.write(`${renderTable(rows).join("\n")}\n\n`);
    process.stdout.write("CPU/1000: processor time of the client and of what is between, for 1000 calls.\n");
    process.stdout.write(`Ratios: direct ÷ way, pods ÷ istio.\n${machine}\n`);
  }
  const missed = rows.filter(({ ratio }) => !(ratio.p50 <= maxP50Ratio));
  for (const { way, inFlight } of missed) process.stderr.write(`missed: ${way}, ${inFlight} in flight: p50 ratio\n`);
  return missed.length === 0 && rows.length > 0 ? 0 : 1;
}
