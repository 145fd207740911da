/**
 * What a change costs: `node libs/discovery/bench/update.bench.ts [--json]`. Ratios are taken in one run, so that they mean
 * the same on every machine.
 */
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { systemClock } from "@grpc-lb/core";
import { SnapshotStore } from "../src/core/snapshot-store.ts";
import { PortView } from "../src/kubernetes/port-view.ts";
import { readEndpointSlice } from "../src/kubernetes/reader.ts";
import { ServiceWatch } from "../src/kubernetes/service-watch.ts";
import { createKubernetesSource } from "../src/kubernetes/source.ts";
import { FakeApiServer, slice, slices } from "../testing/index.ts";

setFlagsFromString("--expose-gc");
const gc = runInNewContext("gc") as () => void;

interface Row {
  readonly what: string;
  readonly got: number;
  readonly bound: number;
  readonly unit: string;
}

/** Time and allocation of applying one pod's change, which comes as one event of its slice of 100, among `count` endpoints. */
function changeOne(count: number): { apply(rounds: number): { microseconds: number; kilobytes: number } } {
  const all = slices({ service: "s", count });
  const store = new SnapshotStore("service default/s", systemClock);
  const access = {
    server: new URL("http://127.0.0.1"),
    namespace: "default",
    credentials: () => new Promise<never>(() => {}),
  };
  const options = {
    access,
    namespace: "default",
    service: "s",
    clock: systemClock,
    random: Math.random,
    idleDeadlineMs: 1,
  };
  const port = { t: "name", name: "grpc" } as const;
  const view = new PortView(new ServiceWatch(options), store, { port, preferredFamily: "IPv4", onUnmapped() {} });
  const setSlice = (json: string) => {
    const slice = readEndpointSlice((JSON.parse(json) as { object: unknown }).object);
    view.onSlice(slice.name, slice);
    store.sync();
  };
  for (const one of all) setSlice(JSON.stringify({ object: one }));
  // Two states of one slice in the middle: a pod of it is ready, or is not.
  const one = all[Math.floor(all.length / 2)];
  const endpoints = one?.endpoints ?? [];
  const states = [true, false].map((ready) =>
    JSON.stringify({
      type: "MODIFIED",
      object: { ...one, endpoints: endpoints.map((e, i) => (i === 50 ? { ...e, conditions: { ready } } : e)) },
    }),
  );
  let seen = store.latest?.endpoints;
  return {
    apply(rounds) {
      gc();
      const heapBefore = process.memoryUsage().heapUsed;
      const began = performance.now();
      for (let n = 0; n < rounds; n++) {
        setSlice(states[n % 2 === 0 ? 1 : 0] as string);
        if (store.latest?.endpoints === seen) throw new Error("the change was not seen");
        seen = store.latest?.endpoints;
      }
      const microseconds = ((performance.now() - began) * 1_000) / rounds;
      return { microseconds, kilobytes: (process.memoryUsage().heapUsed - heapBefore) / 1_024 / rounds };
    },
  };
}

const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;

function measureChange(): Row[] {
  const [few, many] = [changeOne(100), changeOne(10_000)];
  for (const one of [few, many]) one.apply(500);
  const runs = Array.from({ length: 15 }, () => ({ few: few.apply(200), many: many.apply(200) }));
  // The heap is read over 20 rounds, which fit in the young generation: no collection comes in between.
  setFlagsFromString("--semi-space-growth-factor=2");
  const heap = Array.from({ length: 15 }, () => ({ few: few.apply(10).kilobytes, many: many.apply(10).kilobytes }));
  const [fewUs, manyUs] = [median(runs.map((r) => r.few.microseconds)), median(runs.map((r) => r.many.microseconds))];
  const [fewKb, manyKb] = [median(heap.map((h) => h.few)), median(heap.map((h) => h.many))];
  return [
    { what: "one pod's change among 100 endpoints", got: fewUs, bound: Number.NaN, unit: "us" },
    { what: "one pod's change among 10 000 endpoints", got: manyUs, bound: Number.NaN, unit: "us" },
    { what: "ratio of work", got: manyUs / fewUs, bound: 2, unit: "x" },
    { what: "allocated by a change among 100", got: fewKb, bound: Number.NaN, unit: "KiB" },
    { what: "allocated by a change among 10 000", got: manyKb, bound: Number.NaN, unit: "KiB" },
    { what: "ratio of allocation", got: manyKb / fewKb, bound: 4, unit: "x" },
  ];
}

/** A server of one answer, in bytes made beforehand: what is measured is the client. */
async function measureSync(): Promise<Row[]> {
  const items = slices({ service: "s", count: 10_000 });
  const page = { kind: "EndpointSliceList", apiVersion: "discovery.k8s.io/v1", metadata: { resourceVersion: "1" } };
  const list = JSON.stringify({ ...page, items });
  const services = JSON.stringify({ ...page, kind: "ServiceList", apiVersion: "v1", items: [] });
  const answer = (body: string) => `HTTP/1.1 200 OK\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
  const answers = { slices: Buffer.from(answer(list)), services: Buffer.from(answer(services)) };
  const server = createServer((socket) => {
    socket.on("error", () => {}); // the client has gone
    socket.on("data", (data) => {
      const line = data.toString("latin1", 0, 300);
      if (line.includes("watch=true")) socket.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
      else socket.write(line.includes("/services?") ? answers.services : answers.slices);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const access = () => ({
    server: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`),
    namespace: "default",
    credentials: async () => ({ headers: {}, tls: {} }),
  });
  const times: number[] = [];
  const heaps: number[] = [];
  for (let n = 0; n < 7; n++) {
    gc();
    const heapBefore = process.memoryUsage().heapUsed;
    const began = performance.now();
    const watch = createKubernetesSource({ service: "s", access: access() }).watch();
    const { value } = await watch.next();
    times.push(performance.now() - began);
    if (value?.endpoints?.length !== 10_000) throw new Error("not all came");
    gc();
    heaps.push((process.memoryUsage().heapUsed - heapBefore) / 1_048_576);
    await watch.return?.();
  }
  server.close();
  return [
    { what: "initial sync of 10 000 endpoints, the first", got: times[0] ?? 0, bound: 150, unit: "ms" },
    { what: "initial sync of 10 000 endpoints, median", got: median(times), bound: 150, unit: "ms" },
    { what: "heap that it keeps", got: median(heaps), bound: 30, unit: "MiB" },
  ];
}

/** 1000 changes in a second, while the reader does 5 ms of work for each snapshot. */
async function measureBurst(): Promise<Row[]> {
  const api = await FakeApiServer.start();
  const watch = createKubernetesSource({ service: "s", access: api.access }).watch();
  await watch.next();
  await api.until(({ openWatches }) => openWatches === 1);
  const began = performance.now();
  let sent = 0;
  const timer = setInterval(() => {
    for (; sent < Math.min(1_000, performance.now() - began); sent++) {
      api.putSlice(slice({ service: "s", addresses: [`10.0.${(sent + 1) >> 8}.${(sent + 1) & 255}`] }));
    }
    if (sent === 1_000) clearInterval(timer);
  }, 5);
  let snapshots = 0;
  for (;;) {
    const { value } = await watch.next();
    snapshots += 1;
    if (value?.endpoints?.[0]?.addresses[0]?.host === "10.0.3.232") break;
    for (const until = performance.now() + 5; performance.now() < until; ); // a reader at work
  }
  const lateMs = performance.now() - began - 1_000;
  await watch.return?.();
  await api.close();
  return [
    { what: "1000 changes in a second: snapshots read", got: snapshots, bound: 1_000, unit: "" },
    { what: "1000 changes in a second: the last is late by", got: Math.max(lateMs, 0), bound: 100, unit: "ms" },
  ];
}

const sync = await measureSync(); // first, as a process starts
const rows = [...measureChange(), ...sync, ...(await measureBurst())];
const verdict = ({ got, bound }: Row) => (Number.isNaN(bound) ? "" : got <= bound ? "PASS" : "MISS");
if (rows.some((row) => verdict(row) === "MISS")) process.exitCode = 1;
if (process.argv.includes("--json")) {
  process.stdout.write(`${JSON.stringify(rows.map((row) => ({ ...row, verdict: verdict(row) })))}\n`);
} else {
  for (const row of rows) {
    const bound = Number.isNaN(row.bound) ? "" : `<= ${row.bound}`;
    const got = `${row.got.toFixed(2).padStart(9)} ${row.unit.padEnd(3)}`;
    process.stdout.write(`${row.what.padEnd(48)} ${got}  ${bound.padEnd(8)} ${verdict(row)}`.trimEnd().concat("\n"));
  }
}
