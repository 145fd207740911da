import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { Context } from "@grpc-lb/core";
import { maxDurationMs } from "@grpc-lb/core";
import { assertNothingLeft, ManualClock, turn, until } from "@grpc-lb/core/testing";
import { sourceIn } from "../../testing/context.ts";
import { FakeDnsServer } from "../../testing/dns/fake-dns-server.ts";
import { SnapshotReader } from "../../testing/snapshot-reader.ts";
import { type DnsPollSourceOptions, defineDnsPollSource } from "./source.ts";

const timeoutMs = 5_001; // unlike any other wait

/** Records the waits between lookups. */
class PollClock extends ManualClock {
  readonly waits: number[] = [];

  override sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (ms !== timeoutMs) this.waits.push(ms);
    return super.sleep(ms, signal);
  }

  /** Resolves when `count` lookups have ended in total. */
  polled(count: number): Promise<void> {
    return until(() => this.waits.length >= count, `lookup ${count}`);
  }

  /** Ends the current wait, and resolves when the next lookup has ended. */
  async again(): Promise<void> {
    const count = this.waits.length;
    this.advance(this.waits.at(-1) ?? 0);
    await this.polled(count + 1);
    await turn(); // then readers have the snapshot
  }
}

type Given = { readonly [K in keyof DnsPollSourceOptions]?: DnsPollSourceOptions[K] | undefined } & Context;
type Options = Given & { readonly conf?: string; readonly hostsText?: string };

async function start(t: TestContext, { conf = "", hostsText = "", ...options }: Options = {}) {
  const dns = await FakeDnsServer.start();
  const folder = mkdtempSync(join(tmpdir(), "grpc-lb-dns-"));
  const files = { resolvConf: join(folder, "resolv.conf"), hosts: join(folder, "hosts") };
  writeFileSync(files.resolvConf, conf);
  writeFileSync(files.hosts, hostsText);
  const clock = new PollClock();
  const readers: SnapshotReader[] = [];
  const create = (more: Given = {}) =>
    sourceIn(defineDnsPollSource, {
      ...{ name: "server.example", port: 80, server: dns.address, timeoutMs, clock, random: () => 0 },
      ...files,
      ...options,
      ...more,
    } as DnsPollSourceOptions & Context);
  const source = create();
  const read = (from = source) => {
    const reader = new SnapshotReader(from);
    readers.push(reader);
    return reader;
  };
  t.after(async () => {
    for (const reader of readers) await reader.close();
    assert.equal(clock.sleeping, 0, "waits that are left");
    await dns.close();
    rmSync(folder, { recursive: true });
    await assertNothingLeft();
  });
  const at = ` at 127.0.0.1:${dns.address.port}`;
  return { dns, clock, source, create, read, at };
}

test("the addresses of a name are endpoints, sorted, and followed at the TTL", async (t) => {
  const { dns, clock, source, read } = await start(t);
  dns.set("server.example", { A: ["10.0.0.2", "10.0.0.1"], ttlSeconds: 5 });
  const reader = read();
  const first = await reader.until("a set", ({ endpoints }) => endpoints !== undefined);
  assert.deepEqual(
    first.endpoints?.map(({ id, weight }) => [id, weight]),
    [
      ["10.0.0.1:80", 1],
      ["10.0.0.2:80", 1],
    ],
  );
  assert.deepEqual([first.subject, first.error], ["dns server.example:80", undefined]);
  await clock.polled(1);
  dns.set("server.example", { A: ["10.0.0.1", "10.0.0.2"], ttlSeconds: 300 });
  await clock.again();
  dns.set("server.example", { A: ["10.0.0.1", "10.0.0.3", "10.0.0.4"], ttlSeconds: 0 });
  await clock.again();
  const last = await reader.until("a change", ({ endpoints }) => endpoints?.length === 3);
  assert.equal(last.endpoints?.[0], first.endpoints?.[0], "an endpoint that stayed is the same object");
  assert.equal(reader.snapshots.length, 2, "an equal set in another order is not news");
  assert.deepEqual(clock.waits, [5_000, 30_000, 1_000]);
  const { lists, watches, lastSyncAgeMs } = source.stats;
  assert.deepEqual([lists, watches, lastSyncAgeMs], [3, 1, 0]);
});

test("a dual-stack host has one share: one A and one AAAA record are one endpoint, more are IPv4 alone", async (t) => {
  const { dns, clock, create, read } = await start(t);
  dns.set("server.example", { A: ["10.0.0.1"], AAAA: ["fd00::1"] });
  const readers = [read(), read(create({ family: "ipv6" })), read(create({ family: "all" }))];
  const [ipv4, ipv6, all] = readers as [SnapshotReader, SnapshotReader, SnapshotReader];
  await ipv4.untilAddresses("10.0.0.1:80+fd00::1:80");
  await ipv6.untilAddresses("fd00::1:80+10.0.0.1:80");
  await all.untilAddresses("10.0.0.1:80", "fd00::1:80");
  await clock.polled(3);
  dns.set("server.example", { A: ["10.0.0.1", "10.0.0.2"], AAAA: ["fd00::1", "fd00::2"] });
  clock.advance(30_000);
  await ipv4.untilAddresses("10.0.0.1:80", "10.0.0.2:80");
  await ipv6.untilAddresses("fd00::1:80", "fd00::2:80");
  await all.untilAddresses("10.0.0.1:80", "10.0.0.2:80", "fd00::1:80", "fd00::2:80");
});

test("with a union, answers with a part of the addresses give a stable set; an address is left out after the window", async (t) => {
  const { dns, clock, read } = await start(t, { unionMs: 5_000 });
  const answer = async (...ns: readonly number[]) => {
    dns.set("server.example", { A: ns.map((n) => `10.0.0.${n}`), ttlSeconds: 0 });
    await clock.again();
  };
  dns.set("server.example", { A: ["10.0.0.1", "10.0.0.2"], ttlSeconds: 0 });
  const reader = read();
  await clock.polled(1);
  await answer(2, 3);
  await answer(3, 1);
  await reader.untilAddresses("10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80");
  const { length } = reader.snapshots;
  await answer(1, 2);
  await answer(2, 3);
  await answer(3, 1);
  assert.equal(reader.snapshots.length, length, "the set is stable");
  for (let n = 0; n < 4; n++) await answer(1, 2);
  assert.equal(reader.snapshots.length, length, "10.0.0.3 was in an answer 4 s ago");
  await answer(1, 2);
  await reader.untilAddresses("10.0.0.1:80", "10.0.0.2:80");
  dns.set("server.example", { A: [], ttlSeconds: 0 });
  for (let n = 0; n < 2; n++) await clock.again();
  await reader.untilAddresses();
});

test("without a union each answer is the whole set", async (t) => {
  const { dns, clock, read } = await start(t);
  dns.set("server.example", { A: ["10.0.0.1", "10.0.0.2"] });
  const reader = read();
  await clock.polled(1);
  dns.set("server.example", { A: ["10.0.0.2", "10.0.0.3"] });
  await clock.again();
  await reader.untilAddresses("10.0.0.2:80", "10.0.0.3:80");
});

test("SRV records that cannot be used are reported with the endpoints of the others", async (t) => {
  const { dns, read } = await start(t, { port: "grpc" });
  const srv = (target: string, port = 80) => ({ target, priority: 0, weight: 0, port });
  dns.set("_grpc._tcp.server.example", { SRV: [srv("pod-1.example"), srv("pod-2.example", 0)] });
  dns.set("pod-1.example", { A: ["10.0.0.1"] });
  const { error } = await read().untilAddresses("10.0.0.1:80");
  assert.equal(error?.code, "invalid");
  assert.equal(
    error?.message,
    "dns-poll: SRV _grpc._tcp.server.example: 1 of the records cannot be used: a target is not a host name, or a port is 0",
  );
});

test("two SRV targets of one address are one endpoint", async (t) => {
  const { dns, read } = await start(t, { port: "grpc" });
  const SRV = ["a.example", "b.example"].map((target) => ({ target, priority: 0, weight: 1, port: 80 }));
  dns.set("_grpc._tcp.server.example", { SRV });
  for (const name of ["a.example", "b.example"]) dns.set(name, { A: ["10.0.0.1"] });
  await read().untilAddresses("10.0.0.1:80");
});

test("two SRV targets that share several addresses are one endpoint for each", async (t) => {
  const { dns, read } = await start(t, { port: "grpc" });
  const SRV = ["a.example", "b.example"].map((target) => ({ target, priority: 0, weight: 1, port: 80 }));
  dns.set("_grpc._tcp.server.example", { SRV });
  for (const name of ["a.example", "b.example"]) dns.set(name, { A: ["10.0.0.1", "10.0.0.2"] });
  const { error } = await read().untilAddresses("10.0.0.1:80", "10.0.0.2:80");
  assert.equal(error, undefined);
});

for (const [code, kind, words] of [
  ["SERVFAIL", "unavailable", "SERVFAIL: the name server failed"],
  ["REFUSED", "permissionDenied", "REFUSED: the name server does not answer this client"],
  ["NOTIMP", "unavailable", "NOTIMP: the name server does not support the query"],
  ["FORMERR", "unavailable", "FORMERR: the name server cannot read the query"],
] as const) {
  test(`${code} keeps the last good set and reports the error`, async (t) => {
    const { dns, clock, source, read, at } = await start(t);
    dns.set("server.example", { A: ["10.0.0.1"] });
    const reader = read();
    await clock.polled(1);
    dns.fault = { t: "code", code };
    await clock.again();
    const { endpoints, error } = await reader.until("an error", (snapshot) => snapshot.error !== undefined);
    assert.deepEqual([endpoints?.length, error?.code], [1, kind]);
    assert.equal(error?.message, `dns-poll: query A server.example${at}: ${words}`);
    dns.fault = undefined;
    await clock.again();
    await reader.until("no error", (snapshot) => snapshot.error === undefined);
    assert.deepEqual([reader.snapshots.length, source.stats.errors[kind]], [3, 1]);
  });
}

test("a query without an answer fails after the timeout; an answer to another query is ignored", async (t) => {
  const { dns, clock, read, at } = await start(t);
  dns.set("server.example", { A: ["10.0.0.1"] });
  const reader = read();
  await clock.polled(1);
  for (const fault of [{ t: "silence" }, { t: "wrong-id", alone: true }] as const) {
    dns.fault = fault;
    const { length } = dns.queries;
    clock.advance(clock.waits.at(-1) ?? 0);
    await dns.untilQueries(length + 2);
    const lookups = clock.waits.length;
    clock.advance(timeoutMs);
    await clock.polled(lookups + 1);
    const { endpoints, error } = await reader.until("an error", (snapshot) => snapshot.error !== undefined);
    assert.deepEqual([endpoints?.length, error?.code], [1, "unavailable"]);
    assert.equal(error?.message, `dns-poll: query A server.example${at}: no answer in 5001ms`);
  }
  dns.fault = { t: "wrong-id" };
  dns.set("server.example", { A: ["10.0.0.2"] });
  await clock.again();
  await reader.untilAddresses("10.0.0.2:80");
});

test("a server that is down is an error while nothing is known, and is queried again soon", async (t) => {
  const { dns, clock, read, at } = await start(t, { random: () => 1 });
  dns.set("server.example", { A: ["10.0.0.1"] });
  await dns.close();
  const reader = read();
  const { endpoints, error } = await reader.until("an error", (snapshot) => snapshot.error !== undefined);
  assert.deepEqual([endpoints, error?.code], [undefined, "unavailable"]);
  assert.equal(
    error?.message,
    `dns-poll: query A server.example${at}: connection refused: no name server listens there`,
  );
  for (let n = 0; n < 5; n++) await clock.again();
  assert.deepEqual(clock.waits, [2_000, 3_000, 5_000, 9_000, 11_000, 11_000]);
  await dns.start();
  await clock.again();
  await reader.untilAddresses("10.0.0.1:80");
});

test("a name that is gone is an empty set when a second lookup confirms it, and its return is seen", async (t) => {
  const { dns, clock, source, read } = await start(t);
  dns.set("server.example", { A: ["10.0.0.1"] });
  const reader = read();
  await clock.polled(1);
  dns.delete("server.example");
  await clock.again();
  assert.equal(clock.waits.at(-1), 1_000);
  dns.set("server.example", { A: ["10.0.0.1"] });
  await clock.again();
  assert.equal(reader.snapshots.length, 1, "one lookup alone does not count");
  dns.delete("server.example");
  await clock.again();
  assert.equal(reader.snapshots.length, 1, "nor does one after another that was not confirmed");
  await clock.again();
  const { endpoints, error } = await reader.until("an error", (snapshot) => snapshot.error !== undefined);
  assert.deepEqual([endpoints, error?.code], [[], "notFound"]);
  assert.equal(error?.message, "dns-poll: query server.example: NXDOMAIN: there is no such name");
  assert.equal(clock.waits.at(-1), 5_000);
  await clock.again();
  dns.set("server.example", { A: ["10.0.0.2"] });
  await clock.again();
  await reader.untilAddresses("10.0.0.2:80");
  assert.deepEqual([reader.last?.error, source.stats.errors.notFound, reader.snapshots.length], [undefined, 1, 3]);
});

test("a name without addresses is an empty set without an error; at first it is an error at once", async (t) => {
  const { dns, clock, read } = await start(t);
  dns.set("server.example", { SRV: [] });
  const reader = read();
  const { endpoints, error } = await reader.until("an error", (snapshot) => snapshot.error !== undefined);
  assert.equal(endpoints, undefined);
  assert.equal(error?.message, "dns-poll: query server.example: there are no addresses");
  await clock.polled(1);
  await clock.again();
  const empty = await reader.until("a set", (snapshot) => snapshot.endpoints !== undefined);
  assert.deepEqual([empty.endpoints, empty.error], [[], undefined]);
});

test("a family that fails takes away neither the other one nor its own addresses", async (t) => {
  const { dns, clock, read, at } = await start(t);
  dns.set("server.example", { A: ["10.0.0.1"], AAAA: ["fd00::1"] });
  const reader = read();
  await clock.polled(1);
  dns.fault = { t: "code", code: "SERVFAIL", types: ["AAAA"] };
  dns.set("server.example", { A: ["10.0.0.2"], AAAA: ["fd00::1"] });
  await clock.again();
  const { error } = await reader.until("an error", (snapshot) => snapshot.error !== undefined);
  assert.deepEqual(
    [reader.addresses, error?.message],
    [["10.0.0.2:80+fd00::1:80"], `dns-poll: query AAAA server.example${at}: SERVFAIL: the name server failed`],
  );
  await read().untilAddresses("10.0.0.2:80+fd00::1:80");
});

test("SRV records give port and weight, those of the lowest priority alone; their targets are followed", async (t) => {
  const { dns, clock, read } = await start(t, { port: "grpc" });
  const srv = (target: string, priority: number, weight: number, port = 81) => ({ target, priority, weight, port });
  const records = [srv("b.example", 1, 3), srv("a.example", 1, 1, 82), srv("spare.example", 2, 1)];
  dns.set("_grpc._tcp.server.example", { SRV: records });
  dns.set("a.example", { A: ["10.0.0.1"], AAAA: ["fd00::1"], ttlSeconds: 7 });
  dns.set("b.example", { A: ["10.0.0.2"] });
  const reader = read();
  const { endpoints, subject } = await reader.until("a set", (snapshot) => snapshot.endpoints !== undefined);
  assert.equal(subject, "dns server.example:grpc");
  assert.deepEqual(
    endpoints?.map(({ id, weight, metadata }) => [id, weight, metadata.host]),
    [
      ["a.example:82", 1, "a.example"],
      ["b.example:81", 3, "b.example"],
    ],
  );
  assert.deepEqual(reader.addresses, ["10.0.0.1:82+fd00::1:82", "10.0.0.2:81"]);
  await clock.polled(1);
  assert.deepEqual(clock.waits, [7_000]);
  assert.ok(!dns.queries.some(({ name }) => name === "spare.example"), "targets that are not used are not queried");
  dns.set("a.example", { A: ["10.0.0.9"] });
  dns.delete("b.example");
  await clock.again();
  await reader.untilAddresses("10.0.0.9:82");
  dns.fault = { t: "code", code: "SERVFAIL", types: ["SRV"] };
  await clock.again();
  await reader.until("an error", ({ error }) => error !== undefined);
  assert.deepEqual(reader.addresses, ["10.0.0.9:82"]);
  dns.fault = undefined;
  dns.set("_grpc._tcp.server.example", { SRV: [srv(".", 0, 0, 0)] });
  await clock.again();
  await clock.again();
  await reader.untilAddresses();
});

test("SRV targets that cannot be queried keep their addresses", async (t) => {
  const { dns, clock, read } = await start(t, { port: "grpc" });
  const targets = Array.from({ length: 40 }, (_, n) => `pod-${n}.example`);
  const SRV = targets.map((target) => ({ target, priority: 0, weight: 0, port: 80 }));
  dns.set("_grpc._tcp.server.example", { SRV });
  for (const [n, target] of targets.entries()) dns.set(target, { A: [`10.0.0.${n}`] });
  const reader = read();
  const all = targets.map((_, n) => `10.0.0.${n}:80`);
  const { endpoints } = await reader.untilAddresses(...all);
  assert.ok(endpoints?.every(({ weight }) => weight === 1));
  await clock.polled(1);
  dns.fault = { t: "code", code: "SERVFAIL", types: ["A"] };
  await clock.again();
  await reader.until("an error", ({ error }) => error !== undefined);
  assert.deepEqual(reader.addresses?.toSorted(), all.toSorted());
});

/** Makes queries for one name fail. @returns a function that ends that */
function failFor(dns: FakeDnsServer, name: string): () => void {
  const isQueried = () => dns.queries.at(-1)?.name === name;
  const get = () => (isQueried() ? ({ t: "code", code: "SERVFAIL" } as const) : undefined);
  Object.defineProperty(dns, "fault", { get, configurable: true });
  return () => void Object.defineProperty(dns, "fault", { value: undefined, writable: true });
}

/** SRV records of `server.example` for these targets, with an address each. */
function setTargets(dns: FakeDnsServer, ...ns: readonly number[]): void {
  const SRV = ns.map((n) => ({ target: `pod-${n}.example`, priority: 0, weight: 0, port: 80 }));
  dns.set("_grpc._tcp.server.example", { SRV });
  for (const n of ns) dns.set(`pod-${n}.example`, { A: [`10.0.0.${n}`] });
}

test("an SRV target that cannot be queried from the start leaves the others, with the error and another lookup soon", async (t) => {
  const { dns, clock, read, at } = await start(t, { port: "grpc" });
  setTargets(dns, 1, 2, 3);
  const heal = failFor(dns, "pod-2.example");
  const reader = read();
  const { error } = await reader.untilAddresses("10.0.0.1:80", "10.0.0.3:80");
  assert.equal(error?.message, `dns-poll: query A pod-2.example${at}: SERVFAIL: the name server failed`);
  await clock.polled(1);
  assert.deepEqual(clock.waits, [5_000]);
  heal();
  await clock.again();
  const last = await reader.untilAddresses("10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80");
  assert.equal(last.error, undefined);
});

test("an SRV target that can no longer be queried keeps its addresses, while the others change", async (t) => {
  const { dns, clock, read } = await start(t, { port: "grpc" });
  setTargets(dns, 1, 2);
  const reader = read();
  await clock.polled(1);
  failFor(dns, "pod-2.example");
  setTargets(dns, 2, 3);
  for (let n = 0; n < 3; n++) await clock.again();
  const { error } = await reader.untilAddresses("10.0.0.2:80", "10.0.0.3:80");
  assert.match(error?.message ?? "", /pod-2\.example.*SERVFAIL/);
  assert.equal(clock.waits.at(-1), 30_000, "no target is missing, so the TTL counts");
});

test("without an SRV target that can be queried there is an error and no set", async (t) => {
  const { dns, read } = await start(t, { port: "grpc" });
  setTargets(dns, 1);
  failFor(dns, "pod-1.example");
  const { endpoints, error } = await read().until("an error", (snapshot) => snapshot.error !== undefined);
  assert.deepEqual([endpoints, error?.code], [undefined, "unavailable"]);
});

for (const [what, failLookup] of [
  [
    "an SRV lookup that fails",
    (dns: FakeDnsServer) => {
      dns.fault = { t: "code", code: "SERVFAIL", types: ["SRV"] };
    },
  ],
  ["a lookup that finds nothing", (dns: FakeDnsServer) => dns.delete("_grpc._tcp.server.example")],
] as const) {
  test(`${what} does not forget the families of the targets`, async (t) => {
    const { dns, clock, read } = await start(t, { port: "grpc" });
    const set = () => {
      setTargets(dns, 1);
      dns.set("pod-1.example", { A: ["10.0.0.1"], AAAA: ["fd00::1"] });
    };
    set();
    const reader = read();
    await reader.untilAddresses("10.0.0.1:80+fd00::1:80");
    await clock.polled(1);
    failLookup(dns);
    await clock.again();
    set();
    dns.fault = { t: "code", code: "SERVFAIL", types: ["A"] };
    await clock.again();
    await reader.until("an error of A", ({ error }) => error?.message.includes("query A pod-1.example") ?? false);
    assert.deepEqual(reader.addresses, ["10.0.0.1:80+fd00::1:80"]);
  });
}

test("one lookup that finds no such name does not forget a family; a confirmed one does", async (t) => {
  const { dns, clock, read } = await start(t);
  const set = () => dns.set("server.example", { A: ["10.0.0.1"], AAAA: ["fd00::1"] });
  set();
  const reader = read();
  await clock.polled(1);
  dns.delete("server.example");
  await clock.again();
  set();
  dns.fault = { t: "code", code: "SERVFAIL", types: ["A"] };
  await clock.again();
  await reader.until("an error", ({ error }) => error !== undefined);
  assert.deepEqual(reader.addresses, ["10.0.0.1:80+fd00::1:80"]);
  dns.fault = undefined;
  dns.delete("server.example");
  for (let n = 0; n < 2; n++) await clock.again();
  await reader.untilAddresses();
  set();
  dns.fault = { t: "code", code: "SERVFAIL", types: ["A"] };
  await clock.again();
  await reader.untilAddresses("fd00::1:80");
});

test("the TTL of a name that has IPv6 alone counts", async (t) => {
  const { dns, clock, read } = await start(t);
  dns.set("server.example", { AAAA: ["fd00::1"], ttlSeconds: 7 });
  read();
  await clock.polled(1);
  assert.deepEqual(clock.waits, [7_000]);
});

test("an answer that is too long for UDP is read over TCP", async (t) => {
  const { dns, read } = await start(t);
  const hosts = Array.from({ length: 200 }, (_, n) => `10.0.1.${n}`);
  dns.set("server.example", { A: hosts });
  await read().untilAddresses(...hosts.map((host) => `${host}:80`));
  assert.ok(dns.queries.some(({ type, transport }) => type === "A" && transport === "TCP"));
});

test("the search list completes a short name, in its order, unless the name ends with a dot", async (t) => {
  const conf = "search default.svc.cluster.local svc.cluster.local\noptions ndots:5\n";
  const { dns, create, read } = await start(t, { conf });
  dns.set("server-headless.svc.cluster.local", { A: ["10.0.0.1"] });
  dns.set("server-headless", { A: ["10.0.0.2"] });
  await read(create({ name: "server-headless" })).untilAddresses("10.0.0.1:80");
  assert.deepEqual(
    dns.queries.filter(({ type }) => type === "A").map(({ name }) => name),
    ["server-headless.default.svc.cluster.local", "server-headless.svc.cluster.local"],
  );
  await read(create({ name: "server-headless." })).untilAddresses("10.0.0.2:80");
  dns.set("_grpc._tcp.server-headless.default.svc.cluster.local", {
    SRV: [{ target: "pod.example", priority: 0, weight: 1, port: 50_051 }],
  });
  dns.set("pod.example", { A: ["10.0.0.3"] });
  await read(create({ name: "server-headless", port: "grpc" })).untilAddresses("10.0.0.3:50051");
  const { error } = await read(create({ name: "nope" })).until("an error", (snapshot) => snapshot.error !== undefined);
  assert.equal(
    error?.message,
    "dns-poll: query nope.default.svc.cluster.local, nope.svc.cluster.local, nope: NXDOMAIN: there is no such name",
  );
});

test("a candidate that is too long for DNS is skipped", async (t) => {
  const name = Array.from({ length: 4 }, () => "a".repeat(60)).join(".");
  const { dns, create, read } = await start(t, { conf: `search ${"b".repeat(60)}.example\noptions ndots:5\n` });
  dns.set(name, { A: ["10.0.0.1"] });
  await read(create({ name })).untilAddresses("10.0.0.1:80");
});

test("a candidate that cannot be queried ends the lookup: a later candidate might be another service", async (t) => {
  const { dns, create, read } = await start(t, { conf: "search a.example b.example\n" });
  dns.set("server.b.example", { A: ["10.0.0.1"] });
  dns.fault = { t: "code", code: "SERVFAIL" };
  const { error } = await read(create({ name: "server" })).until(
    "an error",
    (snapshot) => snapshot.error !== undefined,
  );
  assert.match(error?.message ?? "", /query A server\.a\.example at/);
});

test("the hosts file precedes DNS, unless the options name a server", async (t) => {
  const hostsText = "127.0.0.1 server.example localhost\n::1 localhost\n";
  const { dns, create, read } = await start(t, { hostsText });
  dns.set("server.example", { A: ["10.0.0.1"] });
  await read().untilAddresses("10.0.0.1:80");
  const queries = dns.queries.length;
  await read(create({ name: "localhost", server: undefined })).untilAddresses("127.0.0.1:80+::1:80");
  assert.equal(dns.queries.length, queries);
});

test("two readers share a run, which can be ended in any state, also while a query is under way", async (t) => {
  const { dns, source, create, read, clock } = await start(t);
  dns.set("server.example", { A: ["10.0.0.1"] });
  const [one, other] = [read(), read()];
  await Promise.all([one, other].map((reader) => reader.untilAddresses("10.0.0.1:80")));
  assert.deepEqual([source.stats.lists, source.stats.watches], [1, 1]);
  await clock.polled(1);
  dns.fault = { t: "silence" };
  for (let turns = 0; turns < 20; turns++) {
    const reader = read(create({ refreshMs: 10_000 + turns })); // which shares no run
    for (let n = 0; n < turns; n++) await turn();
    await reader.close();
    assert.deepEqual(reader.snapshots, []);
  }
});

test("options that are not valid are refused", () => {
  const good = { name: "server.example", port: 80 };
  for (const [options, message] of [
    [{ name: "10.0.0.1" }, 'name must be a DNS name, got "10.0.0.1"'],
    [{ name: "a..b" }, 'name must be a DNS name, got "a..b"'],
    [{ port: 0 }, 'port must be a number from 1 to 65535, or a name, got "0"'],
    [{ port: 1.5 }, 'port must be a number from 1 to 65535, or a name, got "1.5"'],
    [{ port: "80" }, 'port must be a number from 1 to 65535, or a name, got "80"'],
    [{ port: "gr_pc" }, 'port must be a number from 1 to 65535, or a name, got "gr_pc"'],
    [{ server: { host: "dns.example", port: 53 } }, 'server must be an IP address, got "dns.example"'],
    [{ refreshMs: 999 }, `refreshMs must be from 1000 to ${maxDurationMs}, got 999`],
    [{ unionMs: -1 }, `unionMs must be from 0 to ${maxDurationMs}, got -1`],
    [{ timeoutMs: Number.NaN }, `timeoutMs must be from 1 to ${maxDurationMs}, got NaN`],
  ] as const) {
    assert.throws(() => sourceIn(defineDnsPollSource, { ...good, ...options }), { name: "RangeError", message });
  }
});
