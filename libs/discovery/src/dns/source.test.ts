import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { assertNothingLeft, ManualClock } from "@grpc-lb/core/testing";
import { FakeDnsServer } from "../../testing/dns/fake-dns-server.ts";
import { SnapshotReader } from "../../testing/snapshot-reader.ts";
import { maxTimerMs } from "../core/endable.ts";
import { createDnsPollSource, type DnsPollSourceOptions } from "./source.ts";

const timeoutMs = 5_001; // which nothing else takes

/** Notes the waits between looks. */
class LookClock extends ManualClock {
  readonly waits: number[] = [];
  readonly #watchers = new Set<() => void>();

  override sleep(ms: number, signal?: AbortSignal): Promise<void> {
    const slept = super.sleep(ms, signal);
    if (ms === timeoutMs) return slept;
    this.waits.push(ms);
    for (const look of [...this.#watchers]) look();
    return slept;
  }

  /** Resolves when so many looks are over in all. */
  async looked(count: number): Promise<void> {
    while (this.waits.length < count) await new Promise<void>((resolve) => this.#watchers.add(resolve));
  }

  /** Ends the wait there is, and resolves when the next look is over. */
  async again(): Promise<void> {
    const count = this.waits.length;
    this.advance(this.waits.at(-1) ?? 0);
    await this.looked(count + 1);
    await new Promise((resolve) => setImmediate(resolve)); // by then readers have it
  }
}

type Given = { readonly [K in keyof DnsPollSourceOptions]?: DnsPollSourceOptions[K] | undefined };
type Options = Given & { readonly conf?: string; readonly hostsText?: string };

async function start(t: TestContext, { conf = "", hostsText = "", ...options }: Options = {}) {
  const dns = await FakeDnsServer.start();
  const folder = mkdtempSync(join(tmpdir(), "grpc-lb-dns-"));
  const files = { resolvConf: join(folder, "resolv.conf"), hosts: join(folder, "hosts") };
  writeFileSync(files.resolvConf, conf);
  writeFileSync(files.hosts, hostsText);
  const clock = new LookClock();
  const readers: SnapshotReader[] = [];
  const create = (more: Given = {}) =>
    createDnsPollSource({
      ...{ name: "server.example", port: 80, server: dns.address, timeoutMs, clock, random: () => 0 },
      ...files,
      ...options,
      ...more,
    } as DnsPollSourceOptions);
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

test("the addresses of both families are endpoints, sorted, and followed at the TTL", async (t) => {
  const { dns, clock, source, read } = await start(t);
  dns.set("server.example", { A: ["10.0.0.2", "10.0.0.1"], AAAA: ["fd00::1"], ttlSeconds: 5 });
  const reader = read();
  const first = await reader.until("a set", ({ endpoints }) => endpoints !== undefined);
  assert.deepEqual(
    first.endpoints?.map(({ id, weight }) => [id, weight]),
    [
      ["10.0.0.1:80", 1],
      ["10.0.0.2:80", 1],
      ["[fd00::1]:80", 1],
    ],
  );
  assert.deepEqual([first.subject, first.error], ["dns server.example:80", undefined]);
  await clock.looked(1);
  dns.set("server.example", { A: ["10.0.0.1", "10.0.0.2"], AAAA: ["fd00::1"], ttlSeconds: 300 });
  await clock.again();
  dns.set("server.example", { A: ["10.0.0.1", "10.0.0.3"], ttlSeconds: 0 });
  await clock.again();
  const last = await reader.until("a change", ({ endpoints }) => endpoints?.length === 2);
  assert.equal(last.endpoints?.[0], first.endpoints?.[0], "an endpoint that stayed is the same object");
  assert.equal(reader.snapshots.length, 2, "an equal set, turned round, is no news");
  assert.deepEqual(clock.waits, [5_000, 30_000, 1_000]);
  const { lists, watches, lastSyncAgeMs } = source.stats;
  assert.deepEqual([lists, watches, lastSyncAgeMs], [3, 1, 0]);
});

for (const [code, kind, words] of [
  ["SERVFAIL", "unavailable", "SERVFAIL"],
  ["REFUSED", "permissionDenied", "REFUSED: the name server does not answer this client"],
  ["NOTIMP", "unavailable", "NOTIMP: the name server does not know such questions"],
  ["FORMERR", "unavailable", "FORMERR: the name server does not understand the question"],
] as const) {
  test(`${code} leaves the last good set with the error beside it`, async (t) => {
    const { dns, clock, source, read, at } = await start(t);
    dns.set("server.example", { A: ["10.0.0.1"] });
    const reader = read();
    await clock.looked(1);
    dns.fault = { t: "code", code };
    await clock.again();
    const { endpoints, error } = await reader.until("an error", (snapshot) => snapshot.error !== undefined);
    assert.deepEqual([endpoints?.length, error?.code], [1, kind]);
    assert.equal(error?.message, `dns-poll: ask for A server.example${at}: ${words}`);
    dns.fault = undefined;
    await clock.again();
    await reader.until("no error", (snapshot) => snapshot.error === undefined);
    assert.deepEqual([reader.snapshots.length, source.stats.errors[kind]], [3, 1]);
  });
}

test("a server that says nothing is given up; what it says before the wrong one is not heard", async (t) => {
  const { dns, clock, read, at } = await start(t);
  dns.set("server.example", { A: ["10.0.0.1"] });
  const reader = read();
  await clock.looked(1);
  for (const fault of [{ t: "silence" }, { t: "wrong-id", alone: true }] as const) {
    dns.fault = fault;
    const { length } = dns.queries;
    clock.advance(clock.waits.at(-1) ?? 0);
    await dns.asked(length + 2);
    const looks = clock.waits.length;
    clock.advance(timeoutMs);
    await clock.looked(looks + 1);
    const { endpoints, error } = await reader.until("an error", (snapshot) => snapshot.error !== undefined);
    assert.deepEqual([endpoints?.length, error?.code], [1, "unavailable"]);
    assert.equal(error?.message, `dns-poll: ask for A server.example${at}: no answer in 5001ms`);
  }
  dns.fault = { t: "wrong-id" };
  dns.set("server.example", { A: ["10.0.0.2"] });
  await clock.again();
  await reader.untilAddresses("10.0.0.2:80");
});

test("a server that is down is an error while nothing is known, and is asked again soon", async (t) => {
  const { dns, clock, read, at } = await start(t, { random: () => 1 });
  dns.set("server.example", { A: ["10.0.0.1"] });
  await dns.close();
  const reader = read();
  const { endpoints, error } = await reader.until("an error", (snapshot) => snapshot.error !== undefined);
  assert.deepEqual([endpoints, error?.code], [undefined, "unavailable"]);
  assert.equal(error?.message, `dns-poll: ask for A server.example${at}: no name server listens there`);
  for (let n = 0; n < 5; n++) await clock.again();
  assert.deepEqual(clock.waits, [2_000, 3_000, 5_000, 9_000, 11_000, 11_000]);
  await dns.start();
  await clock.again();
  await reader.untilAddresses("10.0.0.1:80");
});

test("a name that is gone is an empty set when a second look says so, and its return is seen", async (t) => {
  const { dns, clock, source, read } = await start(t);
  dns.set("server.example", { A: ["10.0.0.1"] });
  const reader = read();
  await clock.looked(1);
  dns.delete("server.example");
  await clock.again();
  assert.equal(clock.waits.at(-1), 1_000);
  dns.set("server.example", { A: ["10.0.0.1"] });
  await clock.again();
  assert.equal(reader.snapshots.length, 1, "one look alone is not believed");
  dns.delete("server.example");
  await clock.again();
  assert.equal(reader.snapshots.length, 1, "nor is one after another that was found wrong");
  await clock.again();
  const { endpoints, error } = await reader.until("an error", (snapshot) => snapshot.error !== undefined);
  assert.deepEqual([endpoints, error?.code], [[], "notFound"]);
  assert.equal(error?.message, "dns-poll: ask for server.example: NXDOMAIN: there is no such name");
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
  assert.equal(error?.message, "dns-poll: ask for server.example: there are no addresses");
  await clock.looked(1);
  await clock.again();
  const empty = await reader.until("a set", (snapshot) => snapshot.endpoints !== undefined);
  assert.deepEqual([empty.endpoints, empty.error], [[], undefined]);
});

test("a family that fails takes away neither the other one nor its own addresses", async (t) => {
  const { dns, clock, read, at } = await start(t);
  dns.set("server.example", { A: ["10.0.0.1"], AAAA: ["fd00::1"] });
  const reader = read();
  await clock.looked(1);
  dns.fault = { t: "code", code: "SERVFAIL", types: ["AAAA"] };
  dns.set("server.example", { A: ["10.0.0.2"], AAAA: ["fd00::1"] });
  await clock.again();
  const { endpoints, error } = await reader.until("an error", (snapshot) => snapshot.error !== undefined);
  assert.deepEqual(
    [endpoints?.map(({ id }) => id), error?.message],
    [["10.0.0.2:80", "[fd00::1]:80"], `dns-poll: ask for AAAA server.example${at}: SERVFAIL`],
  );
  const other = read();
  await other.until("the same", (snapshot) => snapshot.endpoints?.length === 2);
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
  await clock.looked(1);
  assert.deepEqual(clock.waits, [7_000]);
  assert.ok(!dns.queries.some(({ name }) => name === "spare.example"), "nobody asks for those that are not used");
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

test("of many SRV targets one that cannot be asked keeps its addresses", async (t) => {
  const { dns, clock, read } = await start(t, { port: "grpc" });
  const targets = Array.from({ length: 40 }, (_, n) => `pod-${n}.example`);
  const SRV = targets.map((target) => ({ target, priority: 0, weight: 0, port: 80 }));
  dns.set("_grpc._tcp.server.example", { SRV });
  for (const [n, target] of targets.entries()) dns.set(target, { A: [`10.0.0.${n}`] });
  const reader = read();
  const all = targets.map((_, n) => `10.0.0.${n}:80`);
  const { endpoints } = await reader.untilAddresses(...all);
  assert.ok(endpoints?.every(({ weight }) => weight === 1));
  await clock.looked(1);
  dns.fault = { t: "code", code: "SERVFAIL", types: ["A"] };
  await clock.again();
  await reader.until("an error", ({ error }) => error !== undefined);
  assert.deepEqual(reader.addresses?.toSorted(), all.toSorted());
});

/** From now on one name alone cannot be asked for. @returns what ends it */
function failFor(dns: FakeDnsServer, name: string): () => void {
  const isAsked = () => dns.queries.at(-1)?.name === name;
  const get = () => (isAsked() ? ({ t: "code", code: "SERVFAIL" } as const) : undefined);
  Object.defineProperty(dns, "fault", { get, configurable: true });
  return () => void Object.defineProperty(dns, "fault", { value: undefined, writable: true });
}

/** SRV records of `server.example` for these targets, with an address each. */
function setTargets(dns: FakeDnsServer, ...ns: readonly number[]): void {
  const SRV = ns.map((n) => ({ target: `pod-${n}.example`, priority: 0, weight: 0, port: 80 }));
  dns.set("_grpc._tcp.server.example", { SRV });
  for (const n of ns) dns.set(`pod-${n}.example`, { A: [`10.0.0.${n}`] });
}

test("an SRV target that cannot be asked from the start leaves the others, with the error and another look soon", async (t) => {
  const { dns, clock, read, at } = await start(t, { port: "grpc" });
  setTargets(dns, 1, 2, 3);
  const heal = failFor(dns, "pod-2.example");
  const reader = read();
  const { error } = await reader.untilAddresses("10.0.0.1:80", "10.0.0.3:80");
  assert.equal(error?.message, `dns-poll: ask for A pod-2.example${at}: SERVFAIL`);
  await clock.looked(1);
  assert.deepEqual(clock.waits, [5_000]);
  heal();
  await clock.again();
  const last = await reader.untilAddresses("10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80");
  assert.equal(last.error, undefined);
});

test("an SRV target that cannot be asked any more keeps its addresses, while the others change", async (t) => {
  const { dns, clock, read } = await start(t, { port: "grpc" });
  setTargets(dns, 1, 2);
  const reader = read();
  await clock.looked(1);
  failFor(dns, "pod-2.example");
  setTargets(dns, 2, 3);
  for (let n = 0; n < 3; n++) await clock.again();
  const { error } = await reader.untilAddresses("10.0.0.2:80", "10.0.0.3:80");
  assert.match(error?.message ?? "", /pod-2\.example.*SERVFAIL$/);
  assert.equal(clock.waits.at(-1), 30_000, "nothing is missing, so there is no hurry");
});

test("no SRV target that can be asked is an error, and no set", async (t) => {
  const { dns, read } = await start(t, { port: "grpc" });
  setTargets(dns, 1);
  failFor(dns, "pod-1.example");
  const { endpoints, error } = await read().until("an error", (snapshot) => snapshot.error !== undefined);
  assert.deepEqual([endpoints, error?.code], [undefined, "unavailable"]);
});

for (const [what, lookFails] of [
  [
    "an SRV look that fails",
    (dns: FakeDnsServer) => {
      dns.fault = { t: "code", code: "SERVFAIL", types: ["SRV"] };
    },
  ],
  ["a look that finds nothing", (dns: FakeDnsServer) => dns.delete("_grpc._tcp.server.example")],
] as const) {
  test(`${what} does not make the families of the targets forgotten`, async (t) => {
    const { dns, clock, read } = await start(t, { port: "grpc" });
    const set = () => {
      setTargets(dns, 1);
      dns.set("pod-1.example", { A: ["10.0.0.1"], AAAA: ["fd00::1"] });
    };
    set();
    const reader = read();
    await reader.untilAddresses("10.0.0.1:80+fd00::1:80");
    await clock.looked(1);
    lookFails(dns);
    await clock.again();
    set();
    dns.fault = { t: "code", code: "SERVFAIL", types: ["A"] };
    await clock.again();
    await reader.until("an error of A", ({ error }) => error?.message.includes("ask for A pod-1.example") ?? false);
    assert.deepEqual(reader.addresses, ["10.0.0.1:80+fd00::1:80"]);
  });
}

test("one look that finds no such name does not make a family forgotten; one that is believed does", async (t) => {
  const { dns, clock, read } = await start(t);
  const set = () => dns.set("server.example", { A: ["10.0.0.1"], AAAA: ["fd00::1"] });
  set();
  const reader = read();
  await clock.looked(1);
  dns.delete("server.example");
  await clock.again();
  set();
  dns.fault = { t: "code", code: "SERVFAIL", types: ["A"] };
  await clock.again();
  await reader.until("an error", ({ error }) => error !== undefined);
  assert.deepEqual(reader.addresses, ["10.0.0.1:80", "fd00::1:80"]);
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
  await clock.looked(1);
  assert.deepEqual(clock.waits, [7_000]);
});

test("an answer that is too long for UDP comes over TCP, whole", async (t) => {
  const { dns, read } = await start(t);
  const hosts = Array.from({ length: 200 }, (_, n) => `10.0.1.${n}`);
  dns.set("server.example", { A: hosts });
  await read().untilAddresses(...hosts.map((host) => `${host}:80`));
  assert.ok(dns.queries.some(({ type, transport }) => type === "A" && transport === "TCP"));
});

test("a short name is completed by the search list, in its order, and by none when it ends with a dot", async (t) => {
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
    "dns-poll: ask for nope.default.svc.cluster.local, nope.svc.cluster.local, nope: NXDOMAIN: there is no such name",
  );
});

test("a candidate that is too long for DNS is passed over", async (t) => {
  const name = Array.from({ length: 4 }, () => "a".repeat(60)).join(".");
  const { dns, create, read } = await start(t, { conf: `search ${"b".repeat(60)}.example\noptions ndots:5\n` });
  dns.set(name, { A: ["10.0.0.1"] });
  await read(create({ name })).untilAddresses("10.0.0.1:80");
});

test("a candidate that cannot be asked ends the look: another name's addresses would be another service's", async (t) => {
  const { dns, create, read } = await start(t, { conf: "search a.example b.example\n" });
  dns.set("server.b.example", { A: ["10.0.0.1"] });
  dns.fault = { t: "code", code: "SERVFAIL" };
  const { error } = await read(create({ name: "server" })).until(
    "an error",
    (snapshot) => snapshot.error !== undefined,
  );
  assert.match(error?.message ?? "", /ask for A server\.a\.example at/);
});

test("the hosts file goes before DNS, but where a certain server is to be asked", async (t) => {
  const hostsText = "127.0.0.1 server.example localhost\n::1 localhost\n";
  const { dns, create, read } = await start(t, { hostsText });
  dns.set("server.example", { A: ["10.0.0.1"] });
  await read().untilAddresses("10.0.0.1:80");
  const asked = dns.queries.length;
  await read(create({ name: "localhost", server: undefined })).untilAddresses("127.0.0.1:80", "::1:80");
  assert.equal(dns.queries.length, asked);
});

test("two readers share a watch; it is ended in any state, also while a question is under way", async (t) => {
  const { dns, source, create, read, clock } = await start(t);
  dns.set("server.example", { A: ["10.0.0.1"] });
  const [one, other] = [read(), read()];
  await Promise.all([one, other].map((reader) => reader.untilAddresses("10.0.0.1:80")));
  assert.deepEqual([source.stats.lists, source.stats.watches], [1, 1]);
  await clock.looked(1);
  dns.fault = { t: "silence" };
  for (let turns = 0; turns < 20; turns++) {
    const reader = read(create());
    for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
    await reader.close();
    assert.deepEqual(reader.snapshots, []);
  }
});

test("options that cannot be are refused", () => {
  const good = { name: "server.example", port: 80 };
  for (const [options, message] of [
    [{ name: "10.0.0.1" }, 'name must be a DNS name, got "10.0.0.1"'],
    [{ name: "a..b" }, 'name must be a DNS name, got "a..b"'],
    [{ port: 0 }, 'port must be a number from 1 to 65535, or a name, got "0"'],
    [{ port: 1.5 }, 'port must be a number from 1 to 65535, or a name, got "1.5"'],
    [{ port: "80" }, 'port must be a number from 1 to 65535, or a name, got "80"'],
    [{ port: "gr_pc" }, 'port must be a number from 1 to 65535, or a name, got "gr_pc"'],
    [{ server: { host: "dns.example", port: 53 } }, 'server must be an IP address, got "dns.example"'],
    [{ refreshMs: 999 }, `refreshMs must be from 1000 to ${maxTimerMs}, got 999`],
    [{ timeoutMs: Number.NaN }, `timeoutMs must be from 1 to ${maxTimerMs}, got NaN`],
  ] as const) {
    assert.throws(() => createDnsPollSource({ ...good, ...options }), { name: "RangeError", message });
  }
});
