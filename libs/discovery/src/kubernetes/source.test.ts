import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { afterEach, test } from "node:test";
import { assertNothingLeft, ManualClock } from "@grpc-lb/core/testing";
import { FakeApiServer, SnapshotReader, service, slice, slices } from "../../testing/index.ts";
import { createKubernetesSource, type KubernetesSourceOptions } from "./source.ts";

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  await assertNothingLeft();
});

const turn = () => new Promise((resolve) => setImmediate(resolve));
const quick = () => 0.001; // a random source by which waits are next to nothing

async function start() {
  const api = await FakeApiServer.start();
  cleanups.push(() => api.close());
  const create = (options: Partial<KubernetesSourceOptions> = {}) =>
    createKubernetesSource({ service: "s", access: api.access, random: quick, ...options });
  const read = (options: Partial<KubernetesSourceOptions> = {}) => {
    const reader = new SnapshotReader(create(options));
    cleanups.push(() => reader.close());
    return reader;
  };
  return { api, create, read };
}
const at = (...addresses: string[]) => slice({ service: "s", addresses });

test("rows 3, 15, GW: one watch for 100 readers, whatever their ports; it ends with the last, and nothing is left", async () => {
  const { api, create } = await start();
  api.putSlice(at("10.0.0.1"));
  const readers = Array.from({ length: 100 }, (_, i) => new SnapshotReader(create(i % 2 ? { port: "grpc" } : {})));
  for (const reader of readers) await reader.untilAddresses("10.0.0.1:50051");
  await api.until(({ openWatches }) => openWatches === 1);
  for (const reader of readers.slice(1)) await reader.close();
  api.putSlice(at("10.0.0.2"));
  await readers[0]?.untilAddresses("10.0.0.2:50051");
  assert.deepEqual([api.counts.list, api.counts.watch, api.counts.openWatches], [1, 1, 1]);
  await readers[0]?.close();
  await api.until(({ connections }) => connections === 0);
  await assert.rejects(assertNothingLeft(), /TCPServerWrap/, "the server itself is all there is");
});

test("row 27: a set that was true then is not replayed after everyone left and came back", async () => {
  const { api, create } = await start();
  api.putSlice(at("10.0.0.1"));
  const source = create();
  const first = new SnapshotReader(source);
  await first.untilAddresses("10.0.0.1:50051");
  await first.close();
  api.putSlice(at("10.0.0.2"));
  const second = new SnapshotReader(source);
  await second.untilAddresses("10.0.0.2:50051");
  assert.equal(second.snapshots.length, 1);
  await second.close();
});

test("a reader that comes while the last one's watch is ending gets a watch of its own", async () => {
  const { api, create } = await start();
  api.putSlice(at("10.0.0.1"));
  const source = create();
  for (let n = 0; n < 20; n++) {
    const first = new SnapshotReader(source);
    if (n % 2) await first.untilAddresses("10.0.0.1:50051");
    const leaving = first.close();
    const second = new SnapshotReader(source);
    await second.untilAddresses("10.0.0.1:50051");
    await leaving;
    await second.close();
  }
  await api.until(({ connections }) => connections === 0);
});

test("row 17: the last good set serves through an outage with the error beside it, said once; recovery clears it", async () => {
  const { api, read } = await start();
  api.putSlice(at("10.0.0.1"));
  const reader = read();
  await reader.untilAddresses("10.0.0.1:50051");
  await api.stop();
  const { endpoints } = await reader.until("an error", ({ error }) => error !== undefined);
  assert.equal(endpoints?.length, 1);
  await reader.until("a refused connection", ({ error }) => /ECONNREFUSED/.test(error?.message ?? ""));
  const told = reader.snapshots.length;
  for (let n = 0; n < 20; n++) await turn();
  assert.ok(reader.snapshots.length <= told + 1, "once a change, not once a retry");
  api.putSlice(at("10.0.0.1", "10.0.0.2"));
  await api.start();
  const { error } = await reader.untilAddresses("10.0.0.1:50051", "10.0.0.2:50051");
  assert.equal(error, undefined);
});

test("a quiet service: the error goes when the watch has lasted a second", async () => {
  const { api, create } = await start();
  api.putSlice(at("10.0.0.1"));
  const clock = new ManualClock();
  const reader = new SnapshotReader(create({ clock }));
  await reader.untilAddresses("10.0.0.1:50051");
  await api.until(({ openWatches }) => openWatches === 1);
  api.breakWatches();
  await reader.until("an error", ({ error }) => error !== undefined);
  let isOver = false;
  const over = reader
    .until("no error", ({ error }) => error === undefined)
    .then(() => {
      isOver = true;
    });
  for (let n = 0; n < 2_000 && !isOver; n++) {
    clock.advance(10);
    await turn();
  }
  await over;
  assert.equal(api.counts.list, 1);
  await reader.close();
  assert.equal(clock.sleeping, 0);
});

test("KR: error first: with nothing known yet the error is the answer, and the endpoints come as soon as they can", async () => {
  const { api, read } = await start();
  api.forbid("list", "endpointslices");
  const reader = read();
  const { endpoints, error, lastSyncMs } = await reader.until("an error", (snapshot) => snapshot.error !== undefined);
  assert.deepEqual([endpoints, error?.code, lastSyncMs], [undefined, "permissionDenied", undefined]);
  api.putSlice(at("10.0.0.1"));
  api.accept();
  assert.equal((await reader.untilAddresses("10.0.0.1:50051")).error, undefined);
});

test("row 11, KR: zero endpoints are published at once, first and later, and the next ready pod too", async () => {
  const { api, read } = await start();
  const reader = read();
  assert.deepEqual((await reader.untilAddresses()).subject, "service default/s");
  api.putSlice(at("10.0.0.1"));
  await reader.untilAddresses("10.0.0.1:50051");
  api.putSlice(slice({ service: "s", addresses: ["10.0.0.1"], ready: false }));
  await reader.untilAddresses();
  api.putSlice(at("10.0.0.1"));
  await reader.untilAddresses("10.0.0.1:50051");
});

test("row 13, KR: an unknown port is an error that lists the ports there are, and says when the Service was not readable", async () => {
  const { api, read } = await start();
  api.putSlice(
    slice({
      service: "s",
      addresses: ["10.0.0.1"],
      ports: [
        { name: "http", port: 8080 },
        { name: "grpc", port: 1 },
      ],
    }),
  );
  api.putService(service({ name: "s", ports: [{ name: "http", port: 80 }] }));
  const named = await read({ port: "admin" }).until("an error", ({ error }) => error !== undefined);
  assert.equal(
    named.error?.message,
    'kubernetes: service default/s has no port "admin"; its target ports are grpc (1), http (8080)',
  );
  assert.deepEqual([named.error?.code, named.endpoints], ["portNotFound", []]);
  const numbered = await read({ port: 81 }).until("an error", ({ error }) => error !== undefined);
  assert.match(numbered.error?.message ?? "", /has no port 81; its target ports are grpc \(1\), http \(8080\)$/);
});

test("row 13: without the right to read the Service, a number of its own is an error that says so; the rest works", async () => {
  const { api, read } = await start();
  api.putSlice(at("10.0.0.1"));
  api.putService(service({ name: "s" }));
  api.forbid("get", "services");
  await read({ port: "grpc" }).untilAddresses("10.0.0.1:50051");
  const { error } = await read({ port: 80 }).until("an error", (snapshot) => snapshot.error !== undefined);
  assert.match(error?.message ?? "", /the Service, which maps its ports to these, could not be read \(services get\)$/);
  for (let n = 0; n < 10; n++) await turn();
  assert.equal(api.counts.openWatches, 1, "and the watch is not begun again and again");
});

test("two ports of one service share one watch; the Service's number is mapped", async () => {
  const { api, read } = await start();
  const ports = [
    { name: "grpc", port: 50_051 },
    { name: "http", port: 8080 },
  ];
  api.putSlice(slice({ service: "s", addresses: ["10.0.0.1"], ports }));
  api.putService(service({ name: "s", ports: [{ name: "http", port: 80 }] }));
  await read({ port: "grpc" }).untilAddresses("10.0.0.1:50051");
  await read({ port: "80" }).untilAddresses("10.0.0.1:8080");
  await api.until(({ openWatches }) => openWatches === 1);
  assert.equal(api.counts.watch, 1);
});

test("a Service that could not be read at first is read again after 30 s, beside the watch", async () => {
  const { api, create } = await start();
  const clock = new ManualClock();
  api.putSlice(at("10.0.0.1"));
  api.putService(service({ name: "s" }));
  api.refuse(500, { times: 1, verbs: ["get"] });
  const reader = new SnapshotReader(create({ port: 80, clock }));
  cleanups.push(() => reader.close());
  await reader.until("a port error", ({ error }) => error?.code === "portNotFound");
  await api.until(({ openWatches }) => openWatches === 1);
  await turn();
  clock.advance(29_999);
  await turn();
  assert.equal(api.counts.get, 1);
  clock.advance(1);
  await reader.untilAddresses("10.0.0.1:50051");
  assert.deepEqual([api.counts.get, api.counts.watch], [2, 1]);
});

test("the annotation's service config comes along, and its change with the next watch", async () => {
  const { api, read } = await start();
  const of = (config: string) => service({ name: "s", annotations: { "grpc-lb.dev/service-config": config } });
  api.putService(of("{}"));
  const reader = read();
  assert.equal((await reader.untilAddresses()).serviceConfig, "{}");
  api.putService(of("{ }"));
  await api.until(({ openWatches }) => openWatches === 1);
  api.closeWatches();
  await reader.until("the new one", ({ serviceConfig }) => serviceConfig === "{ }");
});

test("equal snapshots are not published twice: bookmarks, other pods' readiness and touched slices are no news", async () => {
  const { api, read } = await start();
  api.putSlice(at("10.0.0.1"));
  const reader = read();
  await reader.untilAddresses("10.0.0.1:50051");
  await api.until(({ openWatches }) => openWatches === 1);
  api.sendBookmark();
  api.putSlice(at("10.0.0.1"));
  api.putSlice(slice({ service: "s", name: "s-2", addresses: ["10.0.0.9"], ready: false }));
  api.putSlice(slice({ service: "s", name: "s-3", addresses: ["10.0.0.2"] }));
  await reader.untilAddresses("10.0.0.1:50051", "10.0.0.2:50051");
  assert.equal(reader.snapshots.length, 2);
  assert.equal(
    reader.snapshots[0]?.endpoints?.[0],
    reader.snapshots[1]?.endpoints?.[0],
    "unchanged endpoints keep their identity",
  );
});

test("rows 3, 11: the stats tell what happened, also after the end", async () => {
  const { api, create } = await start();
  api.putService(service({ name: "s" }));
  const source = create();
  const stats = () => source.stats;
  assert.equal(stats(), undefined);
  api.refuse(503, { times: 2 });
  const reader = new SnapshotReader(source);
  await reader.untilAddresses();
  await api.until(({ openWatches }) => openWatches === 1);
  assert.ok((stats()?.lastSyncAgeMs ?? -1) >= 0);
  assert.equal(stats()?.serviceAccess, "read");
  await reader.close();
  const { lists, watches, errors } = stats() ?? {};
  assert.deepEqual(
    [lists, watches, errors],
    [1, 1, { notFound: 0, invalid: 0, permissionDenied: 0, unavailable: 2, portNotFound: 0 }],
  );
});

test("break, return in the middle of a wait, and an abort each end the watch and leave nothing on the signal", async () => {
  const { api, create } = await start();
  const controller = new AbortController();
  const idle = () => api.until(({ connections }) => connections === 0);
  for await (const { endpoints } of create().watch(controller.signal)) if (endpoints) break;
  await idle();
  const iterator = create().watch(controller.signal);
  await iterator.next();
  const waiting = iterator.next();
  await iterator.return?.();
  assert.equal((await waiting).done, true);
  await idle();
  const aborted = create().watch(controller.signal);
  await aborted.next();
  const next = aborted.next();
  controller.abort();
  assert.equal((await next).done, true);
  await idle();
  assert.equal(getEventListeners(controller.signal, "abort").length, 0);
  assert.equal((await create().watch(controller.signal).next()).done, true);
  const unread = create().watch();
  assert.equal((await unread.return?.())?.done, true, "one that was never read");
});

test("10 000 endpoints arrive whole, and so do 1000 changes in a burst", async () => {
  const { api, read } = await start();
  api.putSlice(...slices({ service: "s", count: 10_000 }));
  const reader = read();
  await reader.until("10 000", ({ endpoints }) => endpoints?.length === 10_000);
  for (let n = 0; n < 1_000; n++)
    api.putSlice(slice({ service: "s", name: "s-extra", addresses: [`10.99.${n >> 8}.${n & 255}`] }));
  await reader.until("the last", ({ endpoints }) => endpoints?.some(({ id }) => id === "10.99.3.231:50051") ?? false);
});

for (const [options, complaint] of [
  [{ service: "S" }, /service must be a DNS label, got "S"/],
  [{ namespace: "a.b" }, /namespace must be a DNS label, got "a\.b"/],
  [{ port: 0 }, /port must be a name or a number from 1 to 65535, got "0"/],
  [{ port: "70000" }, /port must be/],
  [{ port: "a b" }, /port must be a name or a number, got "a b"/],
  [{ port: "p".repeat(64) }, /port must be a name or a number, got "p{64}"/],
  [{ idleDeadlineMs: 0 }, /idleDeadlineMs must be > 0, got 0/],
  [{ idleDeadlineMs: Number.NaN }, /idleDeadlineMs must be > 0, got NaN/],
  [{ idleDeadlineMs: 2 ** 31 }, /idleDeadlineMs must be <= 2147483647, got 2147483648/],
  [{ idleDeadlineMs: Number.POSITIVE_INFINITY }, /idleDeadlineMs must be <= 2147483647, got Infinity/],
] as const) {
  test(`${JSON.stringify(options)} is refused`, () => {
    assert.throws(() => createKubernetesSource({ service: "s", ...options }), complaint);
  });
}

test("losing the right to read the Service leaves what it said: its ports and its annotation stay", async () => {
  const { api, read } = await start();
  const annotations = { "grpc-lb.dev/service-config": "{}" };
  api.putService(service({ name: "s", ports: [{ name: "grpc", port: 80 }], annotations }));
  api.putSlice(at("10.0.0.1"));
  const reader = read({ port: 80 });
  await reader.untilAddresses("10.0.0.1:50051");
  await api.until(({ openWatches }) => openWatches === 1);
  api.forbid("get", "services");
  api.closeWatches();
  await api.until(({ watch, openWatches }) => watch === 2 && openWatches === 1); // the Service is asked for between two watches
  api.putSlice(at("10.0.0.2"));
  const { error, serviceConfig } = await reader.untilAddresses("10.0.0.2:50051");
  assert.deepEqual([error, serviceConfig], [undefined, "{}"]);
});

for (const [answer, before, want] of [
  ["a Service", (api) => api.putService(service({ name: "s" })), ["read", undefined, 1]],
  ["404", () => {}, ["read", "notFound", 2]],
  ["403", (api) => api.forbid("get", "services"), ["permissionDenied", undefined, 1]],
  ["500", (api) => api.refuse(500, { verbs: ["get"] }), ["failed", undefined, 2]],
] as [string, (api: FakeApiServer) => void, [string, string | undefined, number]][]) {
  test(`without slices, services get answered by ${answer}: ${want[0]}, ${want[1] ?? "no"} error, ${want[2]} in 30 s`, async () => {
    const { api, create } = await start();
    before(api);
    const clock = new ManualClock();
    const source = create({ clock });
    const reader = new SnapshotReader(source);
    const { error } = await reader.untilAddresses();
    await api.until(({ openWatches }) => openWatches === 1);
    for (let n = 0; n < 20; n++) await turn();
    assert.equal(api.counts.get, 1);
    clock.advance(30_000);
    for (let n = 0; n < 200 && api.counts.get < 2; n++) await turn();
    assert.deepEqual([source.stats?.serviceAccess, error?.code, api.counts.get], want);
    assert.equal(source.stats?.errors.notFound, error ? 1 : 0);
    await reader.close();
  });
}

test("row 11: the first slice of a Service that did not exist is used at once, and has the Service read, port and config", async () => {
  const { api, create } = await start();
  const source = create({ port: 80 });
  const reader = new SnapshotReader(source);
  await reader.until("no such Service", ({ error }) => error?.code === "notFound");
  await api.until(({ openWatches }) => openWatches === 1);
  const annotations = { "grpc-lb.dev/service-config": "{}" };
  api.putService(service({ name: "s", ports: [{ name: "grpc", port: 80 }], annotations }));
  api.putSlice(at("10.0.0.1"));
  const { error, serviceConfig } = await reader.untilAddresses("10.0.0.1:50051");
  assert.deepEqual([error, serviceConfig, api.counts.list, api.counts.get], [undefined, "{}", 1, 2]);
  assert.ok(
    reader.snapshots.every(({ error }) => !error?.message.includes("does not exist")),
    "nothing old is said of it meanwhile",
  );
  await reader.close();
});

test("row 11: a Service that loses its last slice is read once more, and said to be gone only if it is", async () => {
  const { api, create } = await start();
  api.putService(service({ name: "s" }));
  api.putSlice(at("10.0.0.1"), slice({ service: "s", name: "s-2", addresses: ["10.0.0.2"] }));
  const source = create();
  const reader = new SnapshotReader(source);
  await reader.untilAddresses("10.0.0.1:50051", "10.0.0.2:50051");
  const isRead = (get: number) => api.until((counts) => counts.get === get);
  await api.until(({ openWatches }) => openWatches === 1);
  api.deleteSlice("s-2");
  await reader.untilAddresses("10.0.0.1:50051");
  assert.equal(api.counts.get, 1);
  api.deleteSlice("s-1");
  await isRead(2);
  for (let n = 0; n < 20; n++) await turn();
  assert.deepEqual([(await reader.untilAddresses()).error, api.counts.get], [undefined, 2]);

  api.putSlice(at("10.0.0.1"));
  await reader.untilAddresses("10.0.0.1:50051");
  assert.equal(api.counts.get, 2, "a slice of a Service that is known is no riddle");
  api.deleteService("s");
  api.deleteSlice("s-1");
  const { endpoints } = await reader.until("no such Service", ({ error }) => error?.code === "notFound");
  assert.deepEqual([endpoints, api.counts.get, api.counts.list, api.counts.watch], [[], 3, 1, 1]);

  api.stallNext(1); // the reading that follows does not end soon
  api.putService(service({ name: "s" }));
  api.batch(() => {
    api.putSlice(at("10.0.0.3"));
    api.deleteSlice("s-1");
  });
  await reader.until("no error", ({ error }) => error === undefined, 3_000);
  assert.equal(source.stats?.errors.notFound, 1);
  await reader.close();
});

test("row 11: a Service that is made later without a slice is noticed by the next reading; a right lost takes the word back", async () => {
  const { api, create } = await start();
  for (const end of ["made", "forbidden", "failing"]) {
    const reader = new SnapshotReader(create());
    await reader.until("no such Service", ({ error }) => error?.code === "notFound");
    await api.until(({ openWatches }) => openWatches === 1);
    if (end === "made") api.putService(service({ name: "s" }));
    else if (end === "forbidden") api.forbid("get", "services");
    else api.refuse(500, { verbs: ["get"] });
    api.closeWatches(); // as the server does after 30 s
    await reader.until("no error", ({ error }) => error === undefined);
    await reader.close();
    api.accept();
    api.deleteService("s");
  }
});

test("a number is not mapped by a Service that does not exist, and the error says so", async () => {
  const { api, read } = await start();
  api.putSlice(at("10.0.0.1"));
  const { error } = await read({ port: 80 }).until("an error", (snapshot) => snapshot.error !== undefined);
  assert.match(error?.message ?? "", /; the Service, which maps its ports to these, does not exist$/);
});

test("row 22: a reading of the Service that the end has broken off is no failed one", async () => {
  const { api, create } = await start();
  api.putSlice(at("10.0.0.1"));
  api.putService(service({ name: "s" }));
  const source = create();
  const reader = new SnapshotReader(source);
  await reader.untilAddresses("10.0.0.1:50051");
  await api.until(({ openWatches }) => openWatches === 1);
  api.stallNext(1);
  api.closeWatches();
  await api.until(({ get }) => get === 2);
  await reader.close();
  assert.equal(source.stats?.serviceAccess, undefined);
  const { permissionDenied: denied, unavailable } = source.stats?.errors ?? {};
  assert.deepEqual([denied, unavailable], [0, 0]);
});

test("a Service that hangs delays no event, and the first endpoints of a named port by no more than 200 ms", async () => {
  const { api, create } = await start();
  const clock = new ManualClock();
  api.putSlice(at("10.0.0.1"));
  api.freeze("get");
  const source = create({ port: "grpc", clock });
  const reader = new SnapshotReader(source);
  await api.until(({ openWatches, get }) => openWatches === 1 && get === 1);
  await turn();
  assert.equal(reader.snapshots.length, 0, "it may come in no time, and its config with it");
  clock.advance(200);
  await reader.untilAddresses("10.0.0.1:50051");
  api.putSlice(at("10.0.0.2"));
  await reader.untilAddresses("10.0.0.2:50051");
  api.closeWatches(); // and between two watches
  await api.until(({ watch }) => watch === 2);
  api.putSlice(at("10.0.0.3"));
  const { error } = await reader.untilAddresses("10.0.0.3:50051");
  assert.deepEqual([error, api.counts.get, source.stats?.serviceAccess], [undefined, 1, undefined], "one at a time");
  await reader.close();
  await turn();
  assert.equal(clock.sleeping, 0);
});

test("row 13: a number of the Service waits for the Service, and is said to be wrong only when that cannot be read", async () => {
  for (const end of ["read", "given up"]) {
    const { api, create } = await start();
    const clock = new ManualClock();
    api.putSlice(at("10.0.0.1"));
    api.putService(service({ name: "s" }));
    api.freeze("get");
    const readers = [80, 50_051].map((port) => new SnapshotReader(create({ port, clock })));
    const [mapped, target] = readers as [SnapshotReader, SnapshotReader];
    await api.until(({ openWatches, get }) => openWatches === 1 && get === 1);
    await turn();
    clock.advance(200);
    await target.untilAddresses("10.0.0.1:50051");
    assert.equal(mapped.snapshots.length, 0);
    if (end === "read") {
      api.thaw();
      await mapped.untilAddresses("10.0.0.1:50051");
      assert.equal(mapped.snapshots.length, 1);
    } else {
      clock.advance(5_000);
      await mapped.until("an error", ({ error }) => /could not be read \(services get\)$/.test(error?.message ?? ""));
    }
    for (const reader of readers) await reader.close();
    api.thaw();
  }
});

test("row 22: with the last reader all connections go at once, the idle one too by which the Service was read", async () => {
  const { api, create } = await start();
  api.putSlice(at("10.0.0.1"));
  const reader = new SnapshotReader(create());
  await reader.untilAddresses("10.0.0.1:50051");
  await api.until(({ openWatches }) => openWatches === 1);
  assert.equal(api.counts.connections, 2);
  await reader.close();
  for (let n = 0; n < 100 && api.counts.connections > 0; n++) await turn();
  assert.equal(api.counts.connections, 0); // Node's server ends an idle one after 5 s
});

test("what is seen while the Service is read is not answered by what was read: it is read once more", async () => {
  const { api, create } = await start();
  const clock = new ManualClock();
  const [reader, named] = [80, "grpc"].map((port) => new SnapshotReader(create({ port, clock }))) as [
    SnapshotReader,
    SnapshotReader,
  ];
  cleanups.push(
    () => reader.close(),
    () => named.close(),
  );
  await reader.until("no such Service", ({ error }) => error?.code === "notFound");
  await api.until(({ openWatches }) => openWatches === 1);
  for (let n = 0; n < 20; n++) await turn();
  api.stallNext(1); // the answer is 404 by now, whenever it comes
  clock.advance(30_000);
  await api.until(({ get }) => get === 2);
  api.putService(service({ name: "s" }));
  api.putSlice(at("10.0.0.1"));
  await named.untilAddresses("10.0.0.1:50051");
  api.unstall();
  await reader.untilAddresses("10.0.0.1:50051");
  assert.deepEqual([api.counts.get, api.counts.watch], [3, 1]);
});

test("row 15: while the server fails, a Service that is missing is not asked for", async () => {
  const { api, create } = await start();
  const clock = new ManualClock();
  const reader = new SnapshotReader(create({ clock }));
  cleanups.push(() => reader.close());
  await reader.until("no such Service", ({ error }) => error?.code === "notFound");
  await api.until(({ openWatches }) => openWatches === 1);
  for (let n = 0; n < 20; n++) await turn();
  api.refuse(503);
  api.breakWatches();
  await reader.until("an outage", ({ error }) => error?.code === "unavailable");
  clock.advance(30_000);
  for (let n = 0; n < 50; n++) await turn();
  assert.equal(api.counts.get, 1);
});
