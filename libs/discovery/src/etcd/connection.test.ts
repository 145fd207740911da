import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type ServerHttp2Session } from "node:http2";
import type { AddressInfo } from "node:net";
import { afterEach, test } from "node:test";
import { status } from "@grpc/grpc-js";
import { systemClock } from "@grpc-lb/core";
import { assertNothingLeft, closedPort } from "@grpc-lb/core/testing";
import { KVService, RangeRequest, WatchResponse } from "@grpc-lb/protos/etcd/api/etcdserverpb";
import { FakeEtcd } from "../../testing/etcd/fake-etcd.ts";
import { SnapshotReader } from "../../testing/snapshot-reader.ts";
import { Cluster } from "./cluster.ts";
import { createEtcdSource } from "./index.ts";

afterEach(assertNothingLeft);

const request = RangeRequest.fromPartial({ key: Buffer.from("k") });
const callOptions = () => ({ what: "read k", timeoutMs: 5_000, signal: new AbortController().signal });

/** A cluster of one fake member, for the time of `run`. */
async function onFake(
  credentials: { readonly user?: string; readonly password?: string },
  run: (fake: FakeEtcd, read: () => Promise<number>) => Promise<void>,
): Promise<void> {
  const fake = await FakeEtcd.start();
  const cluster = new Cluster({ endpoints: [fake.endpoint], credentials }, systemClock, () => 0);
  try {
    await run(fake, async () => (await cluster.call(KVService.range, request, callOptions())).kvs.length);
  } finally {
    await cluster.close();
    fake.close();
  }
}

test("each call and watch requires a leader", async () => {
  const fake = await FakeEtcd.start();
  const required: unknown[] = [];
  fake.onRange = (metadata) => {
    required.push(metadata.get("hasleader"));
    return { header: { revision: 5n } };
  };
  const { promise, resolve } = Promise.withResolvers<void>();
  fake.onWatch = (watch) => {
    required.push(watch.metadata.get("hasleader"));
    watch.write(WatchResponse.fromPartial({ created: true }));
    resolve();
  };
  const reader = new SnapshotReader(createEtcdSource({ endpoints: [fake.endpoint], service: "s", credentials: {} }));
  await promise;
  await reader.close();
  fake.close();
  assert.deepEqual(required, [["true"], ["true"]]);
});

test("after a refusal the next call logs in again", () =>
  onFake({ user: "u", password: "p" }, async (fake, read) => {
    let logins = 0;
    fake.onLogin = () => `token ${++logins}`;
    fake.onRange = (metadata) => {
      if (metadata.get("token")[0] === "token 2") return {};
      throw { code: status.PERMISSION_DENIED, details: "etcdserver: permission denied" };
    };
    await assert.rejects(read, /permission denied/);
    await read();
    await read();
    assert.equal(logins, 2);
  }));

test("an answer may be larger than 4 MiB, the default of grpc-js", () =>
  onFake({}, async (fake, read) => {
    fake.onRange = () => ({ kvs: [{ value: Buffer.alloc(5 * 2 ** 20) }] });
    assert.equal(await read(), 1);
  }));

test("a proxy in the environment is ignored", async (t) => {
  const before = process.env.grpc_proxy;
  t.after(() => {
    if (before === undefined) delete process.env.grpc_proxy;
    else process.env.grpc_proxy = before;
  });
  process.env.grpc_proxy = `http://127.0.0.1:${await closedPort()}`;
  await onFake({}, async (_, read) => assert.equal(await read(), 0));
});

test("a connection is pinged after 10 s", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const server = createServer({ settings: {} });
  const sessions = new Set<ServerHttp2Session>();
  server.on("session", (session) => sessions.add(session));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const endpoints = [`127.0.0.1:${(server.address() as AddressInfo).port}`];
  const cluster = new Cluster({ endpoints, credentials: {} }, systemClock, () => 0);
  const call = cluster.call(KVService.range, request, { ...callOptions(), timeoutMs: 60_000 });
  const [stream] = await once(server, "stream");
  stream.on("error", () => {}); // the client gives it up
  const [session] = [...sessions];
  assert.ok(session);
  const pinged = once(session, "ping");
  t.mock.timers.tick(10_000);
  await pinged;
  void call.catch(() => {});
  await cluster.close();
  await assert.rejects(call);
  for (const each of sessions) each.destroy();
  server.close();
  await once(server, "close");
});
