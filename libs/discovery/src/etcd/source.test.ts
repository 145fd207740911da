import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { after, afterEach, before, test } from "node:test";
import { assertNothingLeft, closedPort, until } from "@grpc-lb/core/testing";
import { sourceIn } from "../../testing/context.ts";
import { EtcdServer, etcdIsMissing } from "../../testing/etcd/etcd-server.ts";
import { goValue, sourceOf } from "../../testing/etcd/world.ts";
import { SnapshotReader } from "../../testing/snapshot-reader.ts";
import { createEtcdSource } from "./index.ts";
import { defineEtcdSource } from "./source.ts";

const skip = etcdIsMissing ?? false;
let server: EtcdServer;

before(async () => {
  if (!skip) server = await EtcdServer.start();
});
after(async () => {
  if (!skip) await server.close();
});
afterEach(assertNothingLeft);

test("an endpoint has the key behind the prefix as its id, and weight, zone and metadata from the value", {
  skip,
}, async () => {
  await server.put("team/fields/b", goValue("10.0.0.1:80", { weight: 3, zone: "a", shard: 7, labels: { x: 1 } }));
  await server.put("team/fields/a", goValue("[fd00::1]:80", { weight: "0.5", zone: "" }));
  await server.put("team/fields/c/d", goValue("host.example:80", "v1"));
  const reader = new SnapshotReader(sourceOf(server, "team/fields"));
  const { endpoints, subject, lastSyncMs } = await reader.until(
    "three",
    (snapshot) => snapshot.endpoints?.length === 3,
  );
  const none = { forZones: [], nodeName: undefined };
  assert.deepEqual(endpoints, [
    { id: "a", addresses: [{ host: "fd00::1", port: 80 }], weight: 0.5, zone: undefined, metadata: {}, ...none },
    {
      id: "b",
      addresses: [{ host: "10.0.0.1", port: 80 }],
      weight: 3,
      zone: "a",
      metadata: { shard: "7", labels: '{"x":1}' },
      ...none,
    },
    {
      id: "c/d",
      addresses: [{ host: "host.example", port: 80 }],
      weight: 1,
      zone: undefined,
      metadata: { metadata: "v1" },
      ...none,
    },
  ]);
  assert.equal(subject, "etcd team/fields/");
  assert.equal(typeof lastSyncMs, "number");
  await reader.close();
});

test("unreadable values are reported and counted, and take nothing from the others", { skip }, async () => {
  await server.put("broken/1", "no JSON");
  await server.put("broken/2", goValue("10.0.0.2:80"));
  const source = sourceOf(server, "broken");
  const reader = new SnapshotReader(source);
  const { error } = await reader.untilAddresses("10.0.0.2:80");
  assert.equal(error?.code, "invalid");
  assert.match(
    error?.message ?? "",
    /^etcd: the value of broken\/1 cannot be used: it is not JSON; the value is text of 7 characters without a port$/,
  );
  await server.put("broken/3", goValue("10.0.0.3"));
  await reader.until("two wrong", (snapshot) => snapshot.error?.message.endsWith(", and 1 more") ?? false);
  await server.put("broken/4", goValue("10.0.0.4:80", { weight: -1 }));
  await reader.untilAddresses("10.0.0.2:80", "10.0.0.4:80");
  assert.equal(source.stats.errors.invalid, 3);
  await server.put("broken/1", goValue("10.0.0.1:80"));
  await server.delete("broken/3");
  await server.put("broken/4", goValue("10.0.0.4:80", { weight: 2 }));
  await reader.until("no error", (snapshot) => snapshot.error === undefined && snapshot.endpoints?.length === 3);
  await reader.close();
});

test("an address under two keys is one endpoint, whichever of them is deleted", { skip }, async () => {
  await server.put("twice/a", goValue("10.0.0.1:80", { weight: 1 }));
  const reader = new SnapshotReader(sourceOf(server, "twice"));
  const weightIs = (weight: number) =>
    reader.until(`weight ${weight}`, ({ endpoints }) => endpoints?.length === 1 && endpoints[0]?.weight === weight);
  await weightIs(1);
  await server.put("twice/b", goValue("10.0.0.1:80", { weight: 2 }));
  await weightIs(2);
  await server.put("twice/a", goValue("10.0.0.1:80", { weight: 3 }));
  await weightIs(3);
  await server.delete("twice/a");
  await weightIs(2);
  await server.delete("twice/b");
  await reader.untilAddresses();
  assert.ok(
    reader.snapshots.slice(0, -1).every(({ endpoints }) => endpoints?.length === 1),
    "never two, and never none before the last",
  );
  await reader.close();
});

test("layout kratos takes the gRPC endpoint of a kratos registration", { skip }, async () => {
  const put = (id: string, value: object) =>
    server.put(
      `/microservices/shop/${id}`,
      JSON.stringify({ id, name: "shop", version: "v1", metadata: {}, ...value }),
    );
  await put("one", {
    metadata: { weight: "5", zone: "a" },
    endpoints: ["http://10.0.0.1:8000", "grpc://10.0.0.1:9000?isSecure=false"],
  });
  await put("two", { endpoints: ["http://10.0.0.2:8000"] });
  await server.put("/microservices/shopping/one", "another service");
  const options = { endpoints: [server.endpoint], service: "shop", layout: "kratos", credentials: {} } as const;
  const reader = new SnapshotReader(createEtcdSource(options));
  const { endpoints, error } = await reader.untilAddresses("10.0.0.1:9000");
  assert.match(
    error?.message ?? "",
    /shop\/two .*none of its 1 endpoints is of gRPC; schemes: http; the value is \{id: string, .*endpoints: list\}$/,
  );
  assert.deepEqual(
    endpoints?.map(({ id, weight, zone, metadata }) => ({ id, weight, zone, metadata })),
    [{ id: "one", weight: 5, zone: "a", metadata: { version: "v1", isSecure: "false" } }],
  );
  await reader.close();
});

test("sources of one service share a watch, which sees nothing of other services and ends with the last source", {
  skip,
}, async () => {
  const sources = Array.from({ length: 20 }, () => sourceOf(server, "shared"));
  const readers = sources.map((source) => new SnapshotReader(source));
  await Promise.all(readers.map((reader) => reader.untilAddresses()));
  await server.untilWatches(1);
  await server.put("shared2/1", goValue("10.0.0.9:80"));
  await server.put("shared/1", goValue("10.0.0.1:80"));
  await Promise.all(readers.map((reader) => reader.untilAddresses("10.0.0.1:80")));
  const { lists, watches, events } = (sources[7] as (typeof sources)[number]).stats;
  assert.deepEqual({ lists, watches, events }, { lists: 1, watches: 1, events: 1 });
  const late = new SnapshotReader(sourceOf(server, "shared"));
  await late.untilAddresses("10.0.0.1:80");
  assert.equal(late.snapshots.length, 1);
  await Promise.all(readers.map((reader) => reader.close()));
  await server.put("shared/2", goValue("10.0.0.2:80"));
  await late.untilAddresses("10.0.0.1:80", "10.0.0.2:80");
  await late.close();
  assert.equal(late.last?.error, undefined);
  assert.equal(sources[0]?.stats.events, 2);
});

test("while every member is away, the error is published once, not once a retry", { skip }, async () => {
  const endpoints = [`127.0.0.1:${await closedPort()}`, `127.0.0.1:${await closedPort()}`];
  const source = sourceIn(defineEtcdSource, { endpoints, service: "s", credentials: {}, random: () => 0.01 });
  const reader = new SnapshotReader(source);
  const { error } = await reader.until("an error", (snapshot) => snapshot.error !== undefined);
  assert.equal(error?.message, `etcd: list s/ on ${endpoints.join(",")}: connect ECONNREFUSED`);
  await until(() => source.stats.errors.unavailable >= 5, "five failures");
  assert.equal(reader.snapshots.length, 1);
  await reader.close();
});

test("a server that accepts and does not answer is an error, and after the close of the watch it has no connection", async () => {
  const sockets = new Set<Socket>();
  const mute = createServer((socket) => {
    sockets.add(socket.resume());
    socket.on("error", () => {}); // the client ends it as it likes
    socket.on("close", () => sockets.delete(socket));
  });
  mute.listen(0, "127.0.0.1");
  await once(mute, "listening");
  const endpoints = [`127.0.0.1:${(mute.address() as AddressInfo).port}`];
  const options = { endpoints, service: "s", credentials: {}, answerTimeoutMs: 50 };
  const reader = new SnapshotReader(createEtcdSource(options));
  const { error, endpoints: found } = await reader.until("an error", (snapshot) => snapshot.error !== undefined);
  assert.deepEqual([error?.code, found], ["unavailable", undefined]);
  assert.match(error?.message ?? "", /no answer for 50 ms$/);
  await reader.close();
  const closed = [...sockets].map((socket) => once(socket, "close"));
  await Promise.all(closed);
  assert.equal(sockets.size, 0);
  mute.close();
  await once(mute, "close");
});

test("invalid options are refused at once, and no secret is repeated", () => {
  const cases: readonly [Partial<Parameters<typeof createEtcdSource>[0]>, RegExp][] = [
    [{ endpoints: [] }, /^endpoints must name at least one member, got none$/],
    [{ endpoints: ["root:secret@h:1"] }, /^endpoints must not carry a user or a password$/],
    [{ endpoints: ["h:99999"] }, /^each of endpoints must be host:port.*got "h:99999"$/],
    [{ service: "a//b" }, /^service must be a name without empty parts, got "a\/\/b"$/],
    [{ layout: "other" as "kratos" }, /^layout must be endpoints or kratos or go-micro or value or key, got "other"$/],
    [{ service: "/" }, /^service must be a name without empty parts, got "\/"$/],
    [{ service: "/s", layout: "kratos" }, /^service must not begin with a slash in layout kratos, got "\/s"$/],
    [{ namespace: "/n" }, /^namespace needs layout kratos or go-micro; with endpoints it is a part of the service$/],
    [{ namespace: "/n/", layout: "kratos" }, /^namespace must be a name without empty parts, got "\/n\/"$/],
    [{ missingGraceMs: -1 }, /^missingGraceMs must be >= 0/],
    [{ progressIntervalMs: 0 }, /^progressIntervalMs must be > 0/],
    [{ answerTimeoutMs: Number.NaN }, /^answerTimeoutMs must be > 0/],
    [{ credentials: { user: "u" } }, /^credentials: user and password go together$/],
    [
      { credentials: { user: "u", password: "p", passwordFile: "f" } },
      /^credentials: give password or passwordFile, not both$/,
    ],
    [{ credentials: { tls: { certFile: "f" } } }, /^credentials: tls.certFile and tls.keyFile go together$/],
  ];
  for (const [options, message] of cases) {
    const all = { endpoints: ["h"], service: "s", credentials: {}, ...options };
    assert.throws(() => createEtcdSource(all), { name: "RangeError", message });
  }
});
