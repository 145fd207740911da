/**
 * What a change in etcd costs until it is a snapshot, and what the other services of the same etcd cost:
 * `node libs/discovery/bench/etcd.bench.ts [--json]`, on a real etcd of its own; skipped, and said so, where there is none.
 */

import { systemClock } from "@grpc-lb/core";
import { KVService, PutRequest } from "@grpc-lb/protos/etcd/api/etcdserverpb";
import { Cluster } from "../src/etcd/cluster.ts";
import { createEtcdSource } from "../src/etcd/index.ts";
import { EtcdServer, etcdIsMissing } from "../testing/etcd/etcd-server.ts";
import { goValue } from "../testing/etcd/world.ts";
import { SnapshotReader } from "../testing/snapshot-reader.ts";

interface Row {
  readonly what: string;
  readonly got: number;
  /** Absent: told, and not bounded. */
  readonly bound?: number;
  readonly unit: string;
}

const services = 1_000;
const instances = 10;
const changes = 300;
const othersChanges = 2_000;

const quantile = (values: readonly number[], q: number) =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length * q)] ?? Number.NaN;

const address = (n: number) => `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}:80`;

async function measure(server: EtcdServer): Promise<Row[]> {
  const access = { endpoints: [server.endpoint], credentials: {} };
  const writer = new Cluster(access, systemClock, Math.random);
  const signal = new AbortController().signal;
  const put = (key: string, value: string) => {
    const request = PutRequest.fromPartial({ key: Buffer.from(key), value: Buffer.from(value) });
    return writer.call(KVService.put, request, { what: "write", timeoutMs: 10_000, signal });
  };
  /** Some at a time, so that etcd has to write its log less often. */
  const putAll = async (count: number, one: (n: number) => Promise<unknown>) => {
    let next = 0;
    const worker = async () => {
      while (next < count) await one(next++);
    };
    await Promise.all(Array.from({ length: 64 }, worker));
  };
  await put("first/connection", "");
  await putAll(services * instances, (n) =>
    put(`service-${n % services}/${address(n)}`, goValue(address(n), { zone: "a" })),
  );

  const source = createEtcdSource({ ...access, service: "service-7" });
  const beganMs = performance.now();
  const reader = new SnapshotReader(source);
  await reader.until("all", ({ endpoints }) => endpoints?.length === instances);
  const syncMs = performance.now() - beganMs;

  const fromRequest: number[] = [];
  const fromAnswer: number[] = [];
  for (let n = 0; n < changes + 20; n++) {
    const weight = n + 2;
    const requestMs = performance.now();
    let answerMs = Number.NaN;
    const written = put(`service-7/${address(7)}`, goValue(address(7), { weight })).then(() => {
      answerMs = performance.now();
    });
    await reader.until("the change", ({ endpoints }) => endpoints?.some((each) => each.weight === weight) ?? false);
    const seenMs = performance.now();
    await written;
    if (n < 20) continue; // the first make the code warm
    fromRequest.push(seenMs - requestMs);
    fromAnswer.push(Math.max(seenMs - answerMs, 0));
  }

  const before = { events: source.stats.events, snapshots: reader.snapshots.length };
  await putAll(othersChanges, (n) => put(`service-${8 + (n % 900)}/${address(n)}`, goValue(address(n), { weight: n })));
  await put(`service-7/${address(8)}`, goValue(address(8)));
  await reader.until("the last", ({ endpoints }) => endpoints?.length === instances + 1);
  const events = source.stats.events - before.events - 1;
  await reader.close();
  await writer.close();
  return [
    { what: "a change, from its request to the snapshot, p50", got: quantile(fromRequest, 0.5), bound: 5, unit: "ms" },
    { what: "the same, p99", got: quantile(fromRequest, 0.99), unit: "ms" },
    { what: "from etcd's answer to the snapshot, p50", got: quantile(fromAnswer, 0.5), unit: "ms" },
    { what: `first snapshot, among ${services * instances} keys`, got: syncMs, unit: "ms" },
    { what: `events seen of ${othersChanges} changes of other services`, got: events, bound: 0, unit: "" },
    { what: "snapshots more than its own", got: reader.snapshots.length - before.snapshots - 1, bound: 0, unit: "" },
    {
      what: "lists and watches in all this",
      got: source.stats.lists + source.stats.watches,
      bound: 2,
      unit: "",
    },
  ];
}

if (etcdIsMissing) {
  process.stdout.write(`skipped: ${etcdIsMissing}\n`);
} else {
  const server = await EtcdServer.start();
  const rows = await measure(server);
  await server.close();
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
