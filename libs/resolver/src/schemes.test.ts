import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { assertNothingLeft, closedPort, ManualClock } from "@grpc-lb/core/testing";
import { parseTarget, type Target } from "@grpc-lb/discovery";
import { type SourceSurroundings, schemes } from "./schemes.ts";

/** The source of a target, as a resolver is given it. */
function load(text: string, more: Partial<SourceSurroundings> = {}) {
  const target = parseTarget(text) as Exclude<Target, { t: "kubernetes" }>;
  const entry = schemes[target.t] as {
    load(of: typeof target, where: SourceSurroundings): ReturnType<typeof schemes.file.load>;
  };
  const clock = new ManualClock();
  return entry.load(target, { clock, etcdCredentials: undefined, consulCredentials: undefined, ...more });
}

test("consul: credentials, tags and all else that stands in a target reach the agent", async (t) => {
  const seen: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    seen.push(request);
    response.writeHead(200, { "x-consul-index": "1" }).end("[]");
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(async () => {
    server.close();
    await assertNothingLeft();
  });
  const { port } = server.address() as AddressInfo;
  const query = "tag=v1&tag=v2&near=_agent&dc=dc2&wait=1m&allow-stale=true";
  const source = await load(`consul://127.0.0.1:${port}/web?${query}`, { consulCredentials: { token: "secret" } });
  for await (const { endpoints } of source.watch()) {
    assert.deepEqual(endpoints, []);
    break;
  }
  const [first] = seen as [IncomingMessage];
  const { pathname, searchParams } = new URL(first.url ?? "", "http://agent");
  assert.deepEqual([pathname, first.headers["x-consul-token"]], ["/v1/health/service/web", "secret"]);
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
    const source = await load(`etcd://127.0.0.1:${port}/web${query}`, { etcdCredentials: {} });
    for await (const { error } of source.watch()) {
      assert.match(error?.message ?? "", new RegExp(`^etcd: \\w+ ${key}/? on 127\\.0\\.0\\.1:${port}: `));
      break;
    }
  }
  await assertNothingLeft();
});

test("etcd: credentials reach the source", async () => {
  const target = `etcd://127.0.0.1:${await closedPort()}/web`;
  const source = await load(target, { etcdCredentials: { user: "me", passwordFile: "/nowhere/password" } });
  for await (const { error } of source.watch()) {
    assert.match(error?.message ?? "", /\/nowhere\/password/);
    break;
  }
  await assertNothingLeft();
});

const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length;

for (const target of [
  "etcd://127.0.0.1:PORT/web",
  "consul://127.0.0.1:PORT/web",
  "dns-poll://127.0.0.1:PORT/server.example:80",
  "static:///127.0.0.1:80",
  "file:///nowhere/endpoints.yaml",
]) {
  test(`${target}: a source that is read does not keep the process alive: calls that wait do`, async () => {
    const given = { etcdCredentials: {}, consulCredentials: {} };
    const source = await load(target.replace("PORT", String(await closedPort())), given);
    const snapshots = source.watch();
    await snapshots.next();
    const waiting = snapshots.next();
    assert.equal(timers(), 0);
    await snapshots.return?.();
    await waiting;
    await assertNothingLeft();
  });
}
