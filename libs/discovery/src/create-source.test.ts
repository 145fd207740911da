import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { assertNothingLeft, closedPort, ManualClock, turn, until } from "@grpc-lb/core/testing";
import { FakeApiServer, service, slice } from "../testing/index.ts";
import { createSourceIn } from "./create-source.ts";
import { createSource, parseTarget, type Snapshot, type Source, type SourceOptions } from "./index.ts";

/** The first snapshot of a source, which then ends. */
async function first(source: Source): Promise<Snapshot> {
  for await (const snapshot of source.watch()) return snapshot;
  throw new Error("the source ended without a snapshot");
}

/** A Consul agent without instances, which records the requests. */
async function startAgent(t: { after(end: () => Promise<void>): void }) {
  const requests: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    requests.push(request);
    if (!request.url?.includes("index=")) response.writeHead(200, { "x-consul-index": "1" }).end("[]");
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(async () => {
    server.close();
    await assertNothingLeft();
  });
  return { requests, target: `consul://127.0.0.1:${(server.address() as AddressInfo).port}/web` };
}

test("consul: credentials, tags and all other parameters reach the agent", async (t) => {
  const { requests, target } = await startAgent(t);
  const query = "tag=v1&tag=v2&near=_agent&dc=dc2&wait=1m&allow-stale=true";
  const { endpoints } = await first(
    createSource(`${target}?${query}`, { consul: { credentials: { token: "secret" } } }),
  );
  assert.deepEqual(endpoints, []);
  const [request] = requests as [IncomingMessage];
  const { pathname, searchParams } = new URL(request.url ?? "", "http://agent");
  assert.deepEqual([pathname, request.headers["x-consul-token"]], ["/v1/health/service/web", "secret"]);
  for (const tag of ["v1", "v2"]) assert.ok(`${searchParams}`.includes(tag), `${tag} in ${searchParams}`);
  const { near, dc, stale } = Object.fromEntries(searchParams);
  assert.deepEqual([near, dc, stale], ["_agent", "dc2", ""], `${searchParams}`);
});

test("etcd: members, layout and service reach the source", async () => {
  const port = await closedPort();
  for (const [query, key] of [
    ["", "web"],
    ["?layout=kratos", "/microservices/web"],
  ] as const) {
    const { error } = await first(createSource(`etcd://127.0.0.1:${port}/web${query}`, { etcd: { credentials: {} } }));
    assert.match(error?.message ?? "", new RegExp(`^etcd: \\w+ ${key}/? on 127\\.0\\.0\\.1:${port}: `));
  }
  await assertNothingLeft();
});

test("etcd: credentials reach the source", async () => {
  const credentials = { user: "me", passwordFile: "/nowhere/password" };
  const { error } = await first(createSource(`etcd://127.0.0.1:${await closedPort()}/web`, { etcd: { credentials } }));
  assert.match(error?.message ?? "", /\/nowhere\/password/);
  await assertNothingLeft();
});

test("kubernetes: access, port and the preferred family reach the source, which names its service", async (t) => {
  const api = await FakeApiServer.start();
  t.after(async () => {
    await api.close();
    await assertNothingLeft();
  });
  api.putService(service({ name: "server" }));
  const ports = [{ name: "grpc", port: 50_051, protocol: "TCP" as const }];
  api.putSlice(slice({ service: "server", addresses: [{ address: "10.0.0.1", pod: "a" }], ports }));
  const source = createSource("kubernetes:///server.default:grpc", { kubernetes: { access: api.access } });
  const { subject, endpoints } = await first(source);
  assert.equal(subject, "service default/server");
  assert.deepEqual(
    endpoints?.map(({ addresses }) => addresses),
    [[{ host: "10.0.0.1", port: 50_051 }]],
  );
  await api.until(({ connections }) => connections === 0);
});

test("a parsed target is good, and a text that is not valid throws at once", async () => {
  const { endpoints } = await first(createSource(parseTarget("static:///127.0.0.1:1?weights=3")));
  assert.deepEqual(
    endpoints?.map(({ weight }) => weight),
    [3],
  );
  assert.throws(() => createSource("static:///127.0.0.1"), { name: "RangeError", message: /must be host:port/ });
  assert.throws(() => createSource("server:80"), { name: "RangeError" });
});

test("sources of equal targets and of the same option objects share one run; others do not", async (t) => {
  const { requests, target } = await startAgent(t);
  const [one, two] = [{ token: "one" }, { token: "two" }];
  const sourceOf = (text: string, credentials: object, rest: SourceOptions = {}) =>
    createSource(text, { consul: { credentials }, ...rest });
  const lists = () => requests.filter(({ url }) => !url?.includes("index=")).length;
  const count = async (...sources: Source[]) => {
    const before = lists();
    const snapshots: Snapshot[] = [];
    const subscriptions = sources.map((source) => source.subscribe((snapshot) => snapshots.push(snapshot)));
    await until(() => snapshots.length >= sources.length, "a snapshot of each source");
    await turn();
    await Promise.all(subscriptions.map((subscription) => subscription.close()));
    return lists() - before;
  };
  assert.equal(
    await count(sourceOf(target, one), sourceOf(`${target}?healthy=true`, one)),
    1,
    "one target, two spellings",
  );
  assert.equal(await count(sourceOf(target, one), sourceOf(`${target}?tag=v1`, one)), 2, "two targets");
  assert.equal(await count(sourceOf(target, one), sourceOf(target, two)), 2, "two credentials");
  const other = createSourceIn(target, { consul: { credentials: one } }, { clock: new ManualClock() });
  assert.equal(await count(sourceOf(target, one), other), 2, "two clocks");
  const etcd = { etcd: { credentials: {} } };
  assert.equal(await count(sourceOf(target, one), sourceOf(target, one, etcd)), 1, "options of another scheme");
});

const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length;

for (const target of [
  "etcd://127.0.0.1:PORT/web",
  "consul://127.0.0.1:PORT/web",
  "xds://127.0.0.1:PORT/web",
  "dns-poll://127.0.0.1:PORT/server.example:80",
  "static:///127.0.0.1:80",
  "file:///nowhere/endpoints.yaml",
]) {
  test(`${target}: with background: true a source that is read does not keep the process alive`, async () => {
    const options = { background: true, etcd: { credentials: {} }, consul: { credentials: {} } };
    const source = createSource(target.replace("PORT", String(await closedPort())), options);
    const snapshots = source.watch();
    await snapshots.next();
    const waiting = snapshots.next();
    assert.equal(timers(), 0);
    await snapshots.return?.();
    await waiting;
    await assertNothingLeft();
  });
}
