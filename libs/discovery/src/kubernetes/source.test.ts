import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { afterEach, test } from "node:test";
import type { Context } from "@grpc-lb/core";
import { assertNothingLeft, ManualClock, turn, until } from "@grpc-lb/core/testing";
import { sourceIn } from "../../testing/context.ts";
import { FakeApiServer, SnapshotReader, service, slice, slices } from "../../testing/index.ts";
import { defineKubernetesSource, type KubernetesSourceOptions } from "./source.ts";

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  await assertNothingLeft();
});

const quick = () => 0.001; // a random source by which waits are next to nothing

async function start() {
  const api = await FakeApiServer.start();
  cleanups.push(() => api.close());
  const create = (options: Partial<KubernetesSourceOptions & Context> = {}) =>
    sourceIn(defineKubernetesSource, { service: "s", access: api.access, random: quick, ...options });
  const read = (options: Partial<KubernetesSourceOptions & Context> = {}) => {
    const reader = new SnapshotReader(create(options));
    cleanups.push(() => reader.close());
    return reader;
  };
  /** Both the slices and the Service are watched. */
  const watching = () => api.until(({ openWatches }) => openWatches === 2);
  return { api, create, read, watching };
}
const at = (...addresses: string[]) => slice({ service: "s", addresses });

test("100 readers of any ports share one watch, which ends with the last of them", async () => {
  const { api, create } = await start();
  api.putSlice(at("10.0.0.1"));
  const readers = Array.from({ length: 100 }, (_, i) => new SnapshotReader(create(i % 2 ? { port: "grpc" } : {})));
  for (const reader of readers) await reader.untilAddresses("10.0.0.1:50051");
  await api.until(({ openWatches }) => openWatches === 2);
  for (const reader of readers.slice(1)) await reader.close();
  api.putSlice(at("10.0.0.2"));
  await readers[0]?.untilAddresses("10.0.0.2:50051");
  assert.deepEqual([api.counts.list, api.counts.watch, api.counts.openWatches], [2, 2, 2], "slices and Service");
  await readers[0]?.close();
  await api.until(({ connections }) => connections === 0);
  await assert.rejects(assertNothingLeft(), /TCPServerWrap/, "the server itself is all there is");
});

test("a reader that starts after the last one ended does not get the old set", async () => {
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

test("a reader that starts while the watch of the last one ends gets its own watch", async () => {
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

test("during an outage the last good set stays, and the error is published once; recovery clears it", async () => {
  const { api, read } = await start();
  api.putSlice(at("10.0.0.1"));
  const reader = read();
  await reader.untilAddresses("10.0.0.1:50051");
  await api.stop();
  const { endpoints } = await reader.until("an error", ({ error }) => error !== undefined);
  assert.equal(endpoints?.length, 1);
  await reader.until("a refused connection", ({ error }) => /ECONNREFUSED/.test(error?.message ?? ""));
  const published = reader.snapshots.length;
  for (let n = 0; n < 20; n++) await turn();
  assert.ok(reader.snapshots.length <= published + 1, "once a change, not once a retry");
  api.putSlice(at("10.0.0.1", "10.0.0.2"));
  await api.start();
  const { error } = await reader.untilAddresses("10.0.0.1:50051", "10.0.0.2:50051");
  assert.equal(error, undefined);
});

test("the error of a service without events is cleared when the watch has lasted a second", async () => {
  const { api, read, watching } = await start();
  api.putSlice(at("10.0.0.1"));
  const clock = new ManualClock();
  const reader = read({ clock });
  await reader.untilAddresses("10.0.0.1:50051");
  await watching();
  api.breakWatches();
  await reader.until("an error", ({ error }) => error !== undefined);
  const isOver = () => reader.last?.error === undefined;
  const advance = () => {
    if (!isOver()) clock.advance(10);
    return isOver();
  };
  await until(advance, "no error");
  assert.equal(api.counts.list, 2, "it goes on from the last version");
  await reader.close();
  assert.equal(clock.sleeping, 0);
});

test("before the first set an error is published without endpoints, and the endpoints follow as soon as they are known", async () => {
  const { api, read } = await start();
  api.forbid("list", "endpointslices");
  const reader = read();
  const { endpoints, error, lastSyncMs } = await reader.until("an error", (snapshot) => snapshot.error !== undefined);
  assert.deepEqual([endpoints, error?.code, lastSyncMs], [undefined, "permissionDenied", undefined]);
  api.putSlice(at("10.0.0.1"));
  api.accept();
  assert.equal((await reader.untilAddresses("10.0.0.1:50051")).error, undefined);
});

test("an empty set is published at once, at the start and later, and so is the next ready pod", async () => {
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

test("the error of an unknown port lists the known ports, and reports it if the Service was not readable", async () => {
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
  assert.match(
    numbered.error?.message ?? "",
    /has no port 81; its target ports are grpc \(1\), http \(8080\); the Service has the ports http \(80\)$/,
  );
});

test("without the right to read the Service, only its own port numbers fail, and the error names the missing right", async () => {
  const { api, read } = await start();
  api.putSlice(at("10.0.0.1"));
  api.putService(service({ name: "s" }));
  for (const verb of ["get", "list"] as const) api.forbid(verb, "services");
  await read({ port: "grpc" }).untilAddresses("10.0.0.1:50051");
  const { error } = await read({ port: 80 }).until("an error", (snapshot) => snapshot.error !== undefined);
  assert.match(
    error?.message ?? "",
    /the Service, which maps its ports to these, could not be read \(403\); allow "get" of services, or dial a target port$/,
  );
  assert.equal(api.counts.openWatches, 1, "the slices are watched on");
});

test("two ports of one service share its watches; the Service's number is mapped", async () => {
  const { api, read, watching } = await start();
  const ports = [
    { name: "grpc", port: 50_051 },
    { name: "http", port: 8080 },
  ];
  api.putSlice(slice({ service: "s", addresses: ["10.0.0.1"], ports }));
  api.putService(service({ name: "s", ports: [{ name: "http", port: 80 }] }));
  await read({ port: "grpc" }).untilAddresses("10.0.0.1:50051");
  await read({ port: "80" }).untilAddresses("10.0.0.1:8080");
  await watching();
  assert.equal(api.counts.watch, 2);
});

test("a Service that could not be read at first is read again while the watch of the slices goes on", async () => {
  const { api, read } = await start();
  api.putSlice(at("10.0.0.1"));
  api.putService(service({ name: "s" }));
  api.forbid("list", "services");
  api.refuse(500, { times: 2, verbs: ["get"] });
  const reader = read({ port: 80 });
  await reader.untilAddresses("10.0.0.1:50051");
  assert.deepEqual([api.counts.get, api.counts.openWatches], [3, 1]);
});

const config = (text: string) => service({ name: "s", annotations: { "grpc-lb.dev/service-config": text } });

test("the service config of the annotation is published, and each change at once", async () => {
  const { api, read, watching } = await start();
  api.putService(config("{}"));
  const reader = read();
  assert.equal((await reader.untilAddresses()).serviceConfig, "{}");
  await watching();
  api.putService(config("{ }"));
  await reader.until("the new one", ({ serviceConfig }) => serviceConfig === "{ }");
  assert.equal(api.counts.watch, 2);
});

test("with only the right to get the Service, it is read every 30 s, and at once when slices appear or disappear", async () => {
  const { api, read } = await start();
  const clock = new ManualClock();
  api.forbid("list", "services");
  api.putService(config("{}"));
  const reader = read({ clock });
  assert.equal((await reader.untilAddresses()).serviceConfig, "{}");
  await api.until(({ openWatches }) => openWatches === 1);
  api.putService(config("{ }"));
  for (let n = 0; n < 20; n++) await turn();
  clock.advance(29_000);
  for (let n = 0; n < 20; n++) await turn();
  assert.equal(api.counts.get, 1);
  clock.advance(1_000);
  await reader.until("the new one", ({ serviceConfig }) => serviceConfig === "{ }");
  assert.equal(api.counts.get, 2);
  await until(() => clock.sleeping >= 2, "the wait for the next reading");
  api.putService(config("{\n}"));
  api.putSlice(at("10.0.0.1"));
  await reader.until("the newest one", ({ serviceConfig }) => serviceConfig === "{\n}");
  await until(() => clock.sleeping >= 2, "the wait for the next reading");
  api.deleteService("s");
  api.deleteSlice("s-1");
  const advance = () => {
    clock.advance(10); // two readings in a row have a pause between them
    return reader.last?.error?.code === "notFound";
  };
  await until(advance, "no such Service");
});

test("an event that arrives while the Service is read causes another read", async () => {
  const { api, read } = await start();
  const clock = new ManualClock();
  api.forbid("list", "services");
  const [mapped, named] = [read({ port: 80, clock }), read({ port: "grpc", clock })];
  await mapped.until("no such Service", ({ error }) => error?.code === "notFound");
  await api.until(({ openWatches }) => openWatches === 1);
  for (let n = 0; n < 20; n++) await turn();
  api.stallNext(1); // the answer is that there is no Service, whenever it arrives
  clock.advance(30_000);
  await api.until(({ get }) => get === 2);
  api.putService(service({ name: "s" }));
  api.putSlice(at("10.0.0.1"));
  await named.untilAddresses("10.0.0.1:50051");
  api.unstall();
  let spentMs = 0;
  await until(() => {
    clock.advance(10);
    spentMs += 10;
    return mapped.addresses?.length === 1;
  }, "the mapped endpoint");
  assert.ok(api.counts.get >= 3, `${api.counts.get} reads`);
  assert.ok(spentMs < 30_000, `${spentMs} ms, and not with the next poll`);
});

test("equal snapshots are not published twice: bookmarks, other pods' readiness and slices without a change publish nothing", async () => {
  const { api, read } = await start();
  api.putSlice(at("10.0.0.1"));
  const reader = read();
  await reader.untilAddresses("10.0.0.1:50051");
  await api.until(({ openWatches }) => openWatches === 2);
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

test("the stats count what happened, and stay after the end", async () => {
  const { api, create, watching } = await start();
  api.putService(service({ name: "s" }));
  const source = create();
  const none = { notFound: 0, invalid: 0, permissionDenied: 0, unavailable: 0, portNotFound: 0 };
  assert.deepEqual(source.stats, { lastSyncAgeMs: undefined, lists: 0, watches: 0, events: 0, errors: none });
  api.forbid("list", "endpointslices");
  const reader = new SnapshotReader(source);
  await reader.until("a denial", ({ error }) => error?.code === "permissionDenied");
  api.accept();
  await reader.untilAddresses();
  await watching();
  api.putSlice(at("10.0.0.1"));
  await reader.untilAddresses("10.0.0.1:50051");
  assert.ok((source.stats.lastSyncAgeMs ?? -1) >= 0);
  await reader.close();
  const { lists, watches, events, errors } = source.stats;
  assert.deepEqual([lists, watches, events, { ...errors, permissionDenied: 0 }], [1, 1, 1, none]);
  assert.ok(errors.permissionDenied >= 1);
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

test("10 000 endpoints are published in one set, and so is the result of 1000 changes in a burst", async () => {
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
    assert.throws(() => sourceIn(defineKubernetesSource, { service: "s", ...options }), complaint);
  });
}

test("after the right to read the Service is lost, its ports and its annotation stay", async () => {
  const { api, read, watching } = await start();
  const annotations = { "grpc-lb.dev/service-config": "{}" };
  api.putService(service({ name: "s", ports: [{ name: "grpc", port: 80 }], annotations }));
  api.putSlice(at("10.0.0.1"));
  const reader = read({ port: 80 });
  await reader.untilAddresses("10.0.0.1:50051");
  await watching();
  for (const verb of ["get", "list", "watch"] as const) api.forbid(verb, "services");
  api.closeWatches();
  const denied = await reader.until("a denial", ({ serviceConfigError }) => serviceConfigError !== undefined);
  assert.deepEqual([denied.serviceConfigError?.code, denied.error], ["permissionDenied", undefined]);
  api.putSlice(at("10.0.0.2"));
  const { error, serviceConfig } = await reader.untilAddresses("10.0.0.2:50051");
  assert.deepEqual([error, serviceConfig], [undefined, "{}"]);
});

for (const [answer, before, want] of [
  ["a Service", (api) => api.putService(service({ name: "s" })), [undefined, undefined]],
  ["no Service", () => {}, ["notFound", undefined]],
  [
    "a denial",
    (api) => {
      for (const verb of ["get", "list"] as const) api.forbid(verb, "services");
    },
    [undefined, "permissionDenied"],
  ],
] as [string, (api: FakeApiServer) => void, readonly (string | undefined)[]][]) {
  test(`without slices, ${answer} means error ${want[0] ?? "none"}, and for the service config ${want[1] ?? "none"}`, async () => {
    const { api, read } = await start();
    before(api);
    // The set without endpoints may come before the answer about the Service.
    await read().until(`the codes ${want}`, ({ endpoints, error, serviceConfigError }) => {
      return endpoints?.length === 0 && error?.code === want[0] && serviceConfigError?.code === want[1];
    });
  });
}

test("a Service that is created later is used at once: its slices, its ports and its config", async () => {
  const { api, read, watching } = await start();
  const reader = read({ port: 80 });
  await reader.until("no such Service", ({ error }) => error?.code === "notFound");
  await watching();
  const annotations = { "grpc-lb.dev/service-config": "{}" };
  api.putService(service({ name: "s", ports: [{ name: "grpc", port: 80 }], annotations }));
  api.putSlice(at("10.0.0.1"));
  const { error, serviceConfig } = await reader.untilAddresses("10.0.0.1:50051");
  assert.deepEqual([error, serviceConfig, api.counts.list, api.counts.watch], [undefined, "{}", 2, 2]);
});

test("a Service without endpoints is reported as missing only when it does not exist", async () => {
  const { api, create, watching } = await start();
  api.putService(service({ name: "s" }));
  api.putSlice(at("10.0.0.1"));
  const source = create();
  const reader = new SnapshotReader(source);
  cleanups.push(() => reader.close());
  await reader.untilAddresses("10.0.0.1:50051");
  await watching();
  api.deleteSlice("s-1");
  assert.equal((await reader.untilAddresses()).error, undefined);
  api.deleteService("s");
  const { endpoints } = await reader.until("no such Service", ({ error }) => error?.code === "notFound");
  assert.deepEqual([endpoints, source.stats.errors.notFound], [[], 1]);
  api.putService(service({ name: "s" }));
  await reader.until("no error", ({ error }) => error === undefined);
});

test("a failing watch of the Service withdraws only the error that there is no Service", async () => {
  const { api, read, watching } = await start();
  const reader = read();
  await reader.until("no such Service", ({ error }) => error?.code === "notFound");
  await watching();
  for (const verb of ["get", "list", "watch"] as const) api.forbid(verb, "services");
  api.closeWatches();
  const { endpoints } = await reader.until("no error", ({ error }) => error === undefined);
  assert.deepEqual(endpoints, []);
});

test("the error of a port number reports that the Service does not exist", async () => {
  const { api, read } = await start();
  api.putSlice(at("10.0.0.1"));
  const { error } = await read({ port: 80 }).until("an error", (snapshot) => snapshot.error !== undefined);
  assert.match(
    error?.message ?? "",
    /; the Service, which maps its ports to these, does not exist; create it, or dial a target port$/,
  );
});

test("a Service that hangs delays no event, and the first endpoints of a named port by no more than 200 ms", async () => {
  const { api, read } = await start();
  const clock = new ManualClock();
  api.putSlice(at("10.0.0.1"));
  api.freeze("list", "services");
  const reader = read({ port: "grpc", clock });
  await api.until(({ openWatches, list }) => openWatches === 1 && list === 2);
  await turn();
  assert.equal(reader.snapshots.length, 0, "it may come in no time, and its config with it");
  clock.advance(200);
  await reader.untilAddresses("10.0.0.1:50051");
  api.putSlice(at("10.0.0.2"));
  const { error } = await reader.untilAddresses("10.0.0.2:50051");
  assert.equal(error, undefined);
});

for (const end of ["read", "given up"]) {
  test(`a number of the Service waits for the Service until that is ${end}; a target port does not`, async () => {
    const { api, read } = await start();
    const clock = new ManualClock();
    api.putSlice(at("10.0.0.1"));
    api.putService(service({ name: "s" }));
    api.freeze("list", "services");
    const [mapped, target] = [read({ port: 80, clock }), read({ port: 50_051, clock })];
    await api.until(({ openWatches, list }) => openWatches === 1 && list === 2);
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
      await mapped.until("an error", ({ error }) => /could not be read$/.test(error?.message ?? ""));
    }
    api.thaw();
  });
}

test("when the last reader ends, all connections are closed at once", async () => {
  const { api, create, watching } = await start();
  api.putSlice(at("10.0.0.1"));
  const reader = new SnapshotReader(create());
  await reader.untilAddresses("10.0.0.1:50051");
  await watching();
  assert.equal(api.counts.connections, 2);
  await reader.close();
  await until(() => api.counts.connections === 0, "no connection"); // Node's server ends an idle one after 5 s
});

test("a port number that the Service no longer maps stays in use for a second, in case the event of the slices is late", async () => {
  const { api, read, watching } = await start();
  const clock = new ManualClock();
  const withPort = (name: string) => service({ name: "s", ports: [{ name, port: 80 }] });
  const sliceWith = (name: string) => slice({ service: "s", addresses: ["10.0.0.1"], ports: [{ name, port: 50_051 }] });
  api.putService(withPort("a"));
  api.putSlice(sliceWith("a"));
  const reader = read({ port: 80, clock });
  await reader.untilAddresses("10.0.0.1:50051");
  await watching();
  let waits = clock.sleeping;
  api.putService(withPort("b"));
  await until(() => clock.sleeping > waits, "the wait for the slices");
  api.putSlice(sliceWith("b"));
  for (let n = 0; n < 20; n++) await turn();
  clock.advance(1_000);
  for (let n = 0; n < 20; n++) await turn();
  assert.ok(
    reader.snapshots.every(({ endpoints }) => endpoints?.length === 1),
    "never without its endpoint",
  );
  waits = clock.sleeping;
  api.putService(withPort("c"));
  await until(() => clock.sleeping > waits, "the wait for the slices");
  clock.advance(1_000);
  const { endpoints } = await reader.until("an error", ({ error }) => error?.code === "portNotFound");
  assert.deepEqual(endpoints, []);
});
