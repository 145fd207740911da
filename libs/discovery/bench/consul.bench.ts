/**
 * The time from a change in Consul to its snapshot, and the cost of other services and of a service that flaps:
 * `node libs/discovery/bench/consul.bench.ts [--json]`, on a real agent of its own; skipped with the reason where there is none.
 */
import { Agent, request } from "node:http";
import { systemClock } from "@grpc-lb/core";
import { createConsulSource } from "../src/consul/index.ts";
import { RealConsulAgent, whyNoConsul } from "../testing/consul/real-agent.ts";
import { SnapshotReader } from "../testing/snapshot-reader.ts";

interface Row {
  readonly what: string;
  readonly got: number;
  /** Absent: reported only. */
  readonly bound?: number;
  readonly unit: string;
}

const instances = 10;
const changes = 60;
const othersChanges = 300;
const flaps = 300;
/** Longer than the time between two queries: the first change after a silence is measured. */
const silenceMs = 120;

const quantile = (values: readonly number[], q: number) =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length * q)] ?? Number.NaN;

async function measure(agent: RealConsulAgent): Promise<Row[]> {
  const connections = new Agent({ keepAlive: true, maxSockets: 8 });
  const put = (service: string, n: number, weight = 1) =>
    new Promise<void>((resolve, reject) => {
      // Into the catalog, on a node of its own: an agent would write a file first, which is not part of the change.
      const path = "/v1/catalog/register";
      const Weights = { Passing: weight, Warning: 1 };
      const Service = { ID: `${service}-${n}`, Service: service, Address: `10.0.0.${n}`, Port: 80, Weights };
      const sent = request({ ...agent.address, method: "PUT", path, agent: connections }, (response) => {
        if (response.statusCode !== 200) reject(new Error(`${path}: ${response.statusCode}`));
        response.resume().on("end", resolve);
      });
      sent
        .on("error", reject)
        .end(JSON.stringify({ Node: "elsewhere", Address: "10.0.1.1", SkipNodeUpdate: true, Service }));
    });
  for (let n = 1; n <= instances; n++) await put("web", n);

  const source = createConsulSource({ agent: agent.address, service: "web", credentials: {} });
  const beganMs = performance.now();
  const reader = new SnapshotReader(source);
  await reader.until("all", ({ endpoints }) => endpoints?.length === instances);
  const syncMs = performance.now() - beganMs;
  const hasWeight = (weight: number) =>
    reader.until("the change", ({ endpoints }) => endpoints?.some((each) => each.weight === weight) ?? false);

  const fromRequest: number[] = [];
  for (let n = 0; n < changes + 5; n++) {
    await systemClock.sleep(silenceMs);
    const requestMs = performance.now();
    const written = put("web", 7, n + 2);
    await hasWeight(n + 2);
    if (n >= 5) fromRequest.push(performance.now() - requestMs); // the first ones warm the code
    await written;
  }

  const queries = () => source.stats.lists + source.stats.watches;
  await systemClock.sleep(silenceMs);
  const [queriesBefore, snapshotsBefore] = [queries(), reader.snapshots.length];
  for (let n = 0; n < othersChanges; n++) await put(`other-${n % 30}`, n % 200);
  await systemClock.sleep(silenceMs);
  const ofOthers = queries() - queriesBefore;
  const snapshots = reader.snapshots.length - snapshotsBefore;

  const flapsBeganMs = performance.now();
  const queriesBeforeFlaps = queries();
  for (let n = 0; n < flaps; n++) await put("web", 7, 1_000 + n);
  const flapsEndedMs = performance.now();
  await hasWeight(1_000 + flaps - 1);
  const lateMs = performance.now() - flapsEndedMs;
  const perSecond = ((queries() - queriesBeforeFlaps) * 1_000) / (performance.now() - flapsBeganMs);
  await reader.close();
  connections.destroy();
  return [
    { what: "a change, from its request to the snapshot, p50", got: quantile(fromRequest, 0.5), bound: 5, unit: "ms" },
    { what: "the same, p99", got: quantile(fromRequest, 0.99), unit: "ms" },
    { what: `first snapshot, of ${instances} instances`, got: syncMs, unit: "ms" },
    { what: `queries that ${othersChanges} changes of other services cost`, got: ofOthers, bound: 0, unit: "" },
    { what: "snapshots that they cost", got: snapshots, bound: 0, unit: "" },
    { what: `queries a second while it changes ${flaps} times`, got: perSecond, bound: 20, unit: "/s" },
    { what: "the last of these is late by", got: lateMs, bound: 150, unit: "ms" },
  ];
}

const missing = await whyNoConsul();
if (missing !== undefined) {
  process.stdout.write(`skipped: ${missing}\n`);
} else {
  const agent = await RealConsulAgent.start();
  const rows = await measure(agent).finally(() => agent.close());
  const verdict = ({ got, bound }: Row) => (bound === undefined ? "" : got <= bound ? "PASS" : "MISS");
  if (rows.some((row) => verdict(row) === "MISS")) process.exitCode = 1;
  if (process.argv.includes("--json")) {
    process.stdout.write(`${JSON.stringify(rows.map((row) => ({ ...row, verdict: verdict(row) })))}\n`);
  } else {
    for (const row of rows) {
      const bound = row.bound === undefined ? "" : `<= ${row.bound}`;
      const got = `${row.got.toFixed(2).padStart(9)} ${row.unit.padEnd(3)}`;
      process.stdout.write(`${row.what.padEnd(52)} ${got}  ${bound.padEnd(8)} ${verdict(row)}`.trimEnd().concat("\n"));
    }
  }
}
