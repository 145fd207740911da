import assert from "node:assert/strict";
import { createServer, type ServerHttp2Stream } from "node:http2";
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from "node:net";
import { afterEach, test } from "node:test";
import type { Context } from "@grpc-lb/core";
import { createRandom } from "@grpc-lb/core";
import { assertNothingLeft, until } from "@grpc-lb/core/testing";
import { RangeResponse, WatchResponse } from "@grpc-lb/protos/etcd/api/etcdserverpb";
import { Event_EventType } from "@grpc-lb/protos/etcd/api/mvccpb";
import { sourceIn } from "../../testing/context.ts";
import { FakeEtcd, silence } from "../../testing/etcd/fake-etcd.ts";
import { goValue } from "../../testing/etcd/world.ts";
import { fasterClock } from "../../testing/faster-clock.ts";
import { SnapshotReader } from "../../testing/snapshot-reader.ts";
import type { EtcdSourceOptions } from "./index.ts";
import { defineEtcdSource } from "./source.ts";

type Watch = Parameters<FakeEtcd["onWatch"]>[0];
type Respond = Parameters<typeof WatchResponse.fromPartial>[0];

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  await assertNothingLeft();
});

const revision = { header: { revision: 5n } };
const kv = (n: number, value = goValue(`10.0.0.${n}:80`)) => ({
  key: Buffer.from(`s/${n}`),
  value: Buffer.from(value),
});
const respond = (watch: Watch, response: Respond) => watch.write(WatchResponse.fromPartial(response));
/** One message of gRPC, of `length` bytes as its header has it. */
const frame = (message: Uint8Array, length = message.length) => {
  const header = Buffer.alloc(5);
  header.writeUInt32BE(length, 1);
  return Buffer.concat([header, message]);
};

function read(endpoint: string, options: Partial<EtcdSourceOptions & Context> = {}) {
  const deadlines = { progressIntervalMs: 20, answerTimeoutMs: 200 };
  const source = sourceIn(defineEtcdSource, {
    ...{ endpoints: [endpoint], service: "s", credentials: {}, random: () => 0.01 },
    ...deadlines,
    ...options,
  });
  const reader = new SnapshotReader(source);
  cleanups.push(() => reader.close());
  return { source, reader };
}

async function start(options: Partial<EtcdSourceOptions & Context> = {}) {
  const fake = await FakeEtcd.start();
  cleanups.push(() => fake.close());
  fake.onRange = () => ({ ...revision, kvs: [kv(1)] });
  return { fake, ...read(fake.endpoint, options) };
}

/** What a member does with a watch that it never gives a sign of progress, from its first request on. */
const idle: readonly (readonly [what: string, onWatch: (watch: Watch, isFirst: boolean) => void])[] = [
  ["never confirms it", () => {}],
  ["sends progress without a confirmation", (watch) => respond(watch, revision)],
  [
    "confirms it and answers progress requests without a header",
    (watch, isFirst) => respond(watch, { created: isFirst }),
  ],
  [
    "confirms it and sends endless messages without a revision",
    (watch, isFirst) => {
      if (!isFirst) return;
      respond(watch, { created: true, header: { revision: 0n } });
      const endless = setInterval(() => respond(watch, {}), 1);
      watch.on("cancelled", () => clearInterval(endless));
    },
  ],
];
for (const [what, onWatch] of idle) {
  test(`a member that accepts a watch and ${what} is given up`, async () => {
    const { fake, source, reader } = await start();
    fake.onWatch = (watch, { requestUnion }) => onWatch(watch, requestUnion?.$case === "createRequest");
    const { endpoints, error } = await reader.until("an error", (snapshot) => snapshot.error !== undefined);
    assert.equal(endpoints?.length, 1);
    assert.match(error?.message ?? "", /^etcd: watch s\/ on .*: no answer for 200 ms$/);
    await until(() => source.stats.lists >= 2, "another read");
  });
}

test("events before the confirmation of a watch do not count", async () => {
  const { fake, source, reader } = await start();
  fake.onWatch = (watch) => respond(watch, { ...revision, events: [{ kv: kv(2) }] });
  await reader.until("an error", (snapshot) => snapshot.error !== undefined);
  assert.equal(source.stats.events, 0);
});

/** A member that answers each call by hand, byte by byte. */
async function startRaw(onCall: (stream: ServerHttp2Stream, path: string) => void): Promise<string> {
  const server = createServer();
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => sockets.add(socket));
  server.on("sessionError", () => {}); // the client ends it as it likes
  server.on("stream", (stream, headers) => {
    stream.on("error", () => {});
    stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
    onCall(stream, String(headers[":path"]));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  cleanups.push(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Sends some bytes every few milliseconds, and the last one never. */
function drip(stream: ServerHttp2Stream, bytes: Buffer): void {
  let sent = 0;
  const timer = setInterval(() => {
    if (sent < bytes.length - 1) stream.write(bytes.subarray(sent, ++sent));
  }, 5);
  stream.on("close", () => clearInterval(timer));
}

test("an answer that comes a byte at a time is late, however long it goes on", async () => {
  const answer = frame(RangeResponse.encode(RangeResponse.fromPartial({ ...revision, kvs: [kv(1)] })).finish());
  const { reader } = read(await startRaw((stream) => drip(stream, answer)));
  const { endpoints, error } = await reader.until("an error", (snapshot) => snapshot.error !== undefined);
  assert.equal(endpoints, undefined);
  assert.match(error?.message ?? "", /^etcd: list s\/ on .*: no answer for 200 ms$/);
});

test("a watch response that comes a byte at a time is not progress", async () => {
  const answer = frame(RangeResponse.encode(RangeResponse.fromPartial({ ...revision, kvs: [kv(1)] })).finish());
  const created = frame(WatchResponse.encode(WatchResponse.fromPartial({ ...revision, created: true })).finish());
  const event = WatchResponse.fromPartial({ ...revision, events: [{ kv: kv(2) }] });
  const endpoint = await startRaw((stream, path) => {
    if (path.endsWith("/Range")) {
      stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
      stream.end(answer);
    } else {
      stream.write(created);
      drip(stream, frame(WatchResponse.encode(event).finish()));
    }
  });
  const { reader } = read(endpoint);
  const { error } = await reader.until("an error", (snapshot) => snapshot.error !== undefined);
  assert.match(error?.message ?? "", /^etcd: watch s\/ on .*: no answer for 200 ms$/);
});

test("an answer of more than 64 MiB is refused by its header, before it is received", async () => {
  let length = 64 * 2 ** 20 + 1;
  const { reader } = read(await startRaw((stream) => stream.write(frame(new Uint8Array(1), length))));
  const { error } = await reader.until("an error", (snapshot) => snapshot.error !== undefined);
  assert.match(error?.message ?? "", /^etcd: list s\/ on .*larger than max \(67108865 vs 67108864\)$/);
  length = 2 ** 32 - 1;
  await reader.until("the same", (snapshot) => snapshot.error?.message.includes("4294967295") ?? false);
});

test("a good value that is overwritten with garbage serves until its key is deleted or well again", async () => {
  const { fake, source, reader } = await start();
  const open = Promise.withResolvers<Watch>();
  const usual = fake.onWatch;
  fake.onWatch = (watch, request) => {
    usual(watch, request);
    open.resolve(watch);
  };
  await reader.untilAddresses("10.0.0.1:80");
  const watch = await open.promise;
  const put = (n: number, value?: string) => respond(watch, { ...revision, events: [{ kv: kv(n, value) }] });
  put(1, "garbage");
  const { endpoints, error } = await reader.until("an error", (snapshot) => snapshot.error !== undefined);
  assert.equal(endpoints?.length, 1);
  assert.equal(
    error?.message,
    "etcd: the value of s/1 cannot be used: it is not JSON; the value is text of 7 characters without a port",
  );
  put(1, "rubbish");
  put(2);
  await reader.untilAddresses("10.0.0.1:80", "10.0.0.2:80");
  assert.equal(source.stats.errors.invalid, 1, "counted once a change");
  put(1, goValue("10.0.0.3:80"));
  await reader.untilAddresses("10.0.0.3:80", "10.0.0.2:80");
  assert.equal(reader.last?.error, undefined);
  put(1, "garbage");
  await reader.until("an error", (snapshot) => snapshot.error !== undefined);
  assert.deepEqual(reader.addresses, ["10.0.0.3:80", "10.0.0.2:80"]);
  respond(watch, { ...revision, events: [{ type: Event_EventType.DELETE, kv: kv(1) }] });
  await reader.untilAddresses("10.0.0.2:80");
  assert.deepEqual([reader.last?.error, source.stats.errors.invalid], [undefined, 2]);
});

test("a good value that is found to be garbage when all is read again serves on", async () => {
  const { fake, reader } = await start();
  await reader.untilAddresses("10.0.0.1:80");
  fake.onRange = () => ({ ...revision, kvs: [kv(1, "garbage")] });
  fake.onWatch = (watch) => respond(watch, { ...revision, created: true, canceled: true, compactRevision: 9n });
  const { endpoints, error } = await reader.until("an error", (snapshot) => snapshot.error?.code === "invalid");
  assert.equal(endpoints?.length, 1);
  assert.match(error?.message ?? "", /^etcd: the value of s\/1 cannot be used: /);
});

test("a prefix whose keys cannot be read is an error that shows what they are, and not only a service without endpoints", async () => {
  const { fake, source, reader } = await start();
  fake.onRange = () => ({ ...revision, kvs: [kv(1, "10.0.0.1:80"), kv(2, "10.0.0.2:80")] });
  const { endpoints, error } = await reader.until("an error", (snapshot) => snapshot.error !== undefined);
  assert.deepEqual(endpoints, []);
  assert.equal(error?.code, "invalid");
  assert.equal(
    error?.message,
    "etcd: none of the 2 keys of s/ can be used: s/1: it is not JSON; the value is an address, which layout=value reads",
  );
  assert.equal(source.stats.errors.invalid, 1);
});

/** Passes connections on to a member, breaks them, and puts other bytes in their way. */
async function startBreaker(endpoint: string, random: () => number) {
  const pairs = new Set<readonly [Socket, Socket]>();
  const [host = "", port = ""] = endpoint.split(":");
  const server = createTcpServer((client) => {
    const member = connect(Number(port), host);
    const pair = [client, member] as const;
    pairs.add(pair);
    for (const [one, other] of [pair, [member, client] as const]) {
      one.pipe(other);
      one.on("error", () => {}); // as the storm has it
      one.on("close", () => {
        pairs.delete(pair);
        other.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const close = () => {
    for (const pair of pairs) for (const socket of pair) socket.destroy();
  };
  cleanups.push(async () => {
    close();
    await new Promise((resolve) => server.close(resolve));
  });
  return {
    endpoint: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    strike() {
      for (const [client, member] of pairs) {
        const kind = Math.floor(random() * 4);
        if (kind === 0) client.resetAndDestroy();
        else if (kind === 1) client.write("HTTP/1.1 400 Bad Request\r\n\r\n");
        else if (kind === 2) client.write(Buffer.alloc(64, 0xff));
        else member.unpipe(client); // silence
      }
    },
  };
}

const garbage = Buffer.from([0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x01]);
/** What a broken member may answer a read: a status by `throw`, bytes, silence, or a store that is not the one it was. */
const rangeFaults: readonly FakeEtcd["onRange"][] = [
  () => {
    throw { code: 14, details: "etcdserver: no leader" };
  },
  () => {
    throw { code: 8, details: "\u001b[31metcdserver: too many requests" };
  },
  () => {
    throw { code: 7, details: "etcdserver: permission denied" };
  },
  () => garbage,
  () => new Uint8Array(0),
  () => silence,
  () => ({ kvs: [] }),
  () => ({ header: { revision: -1n }, kvs: [] }),
  () => ({ header: { revision: 0n }, kvs: [kv(7)] }),
  () => ({ header: { revision: 2n }, kvs: [] }),
  () => ({ header: { revision: 9n, clusterId: 7n }, kvs: [] }),
  () => ({ ...revision, kvs: [{ key: Buffer.from("other/1"), value: Buffer.from(goValue("10.9.9.9:80")) }] }),
  () => ({ ...revision, kvs: [kv(1, "garbage"), kv(1, "{}"), kv(2, "[]")] }),
  () => ({ ...revision, kvs: [kv(1, goValue("10.0.0.1:99999")), kv(8, "x".repeat(70_000))] }),
];
const watchFaults: readonly ((watch: Watch) => void)[] = [
  () => {},
  (watch) => watch.end(),
  (watch) => void watch.write(garbage),
  (watch) => void respond(watch, { created: true }),
  (watch) => void respond(watch, revision),
  (watch) => void respond(watch, { ...revision, created: true, events: [{ kv: kv(1, "garbage") }, {}] }),
  (watch) => void respond(watch, { ...revision, created: true, events: [{ kv: { key: Buffer.from("x/1") } }] }),
  (watch) => void respond(watch, { ...revision, created: true, canceled: true, cancelReason: "etcdserver: no leader" }),
  (watch) => void respond(watch, { ...revision, canceled: true, compactRevision: 9n }),
  (watch) => void respond(watch, { created: true, canceled: true, cancelReason: "invalid auth token" }),
  (watch) => void respond(watch, { canceled: true, cancelReason: `\u0000${"x".repeat(5_000)}` }),
  (watch) => watch.emit("error", { code: 2, details: "unknown" }),
];

const seed = Number(process.env.SEED ?? 20_261);
test(`during a storm of broken answers the last good endpoints stay, and the true ones are published at the end (SEED=${seed})`, async () => {
  const random = createRandom(seed);
  const fake = await FakeEtcd.start();
  cleanups.push(() => fake.close());
  const range = () => ({ header: { revision: 50n }, kvs: [kv(1)] });
  fake.onRange = range;
  const breaker = await startBreaker(fake.endpoint, random);
  const deadlines = { progressIntervalMs: 5_000, answerTimeoutMs: 3_000, missingGraceMs: 3_600_000 };
  const { source, reader } = read(breaker.endpoint, {
    clock: fasterClock(50),
    random: () => random() / 10,
    ...deadlines,
  });
  await reader.untilAddresses("10.0.0.1:80");
  const from = reader.snapshots.length - 1; // with a clock this fast the first read may already be late
  let left = 80;
  const isFaulty = () => left > 0 && random() < 0.9;
  fake.onRange = (metadata) => {
    if (!isFaulty()) return range();
    left -= 1;
    return (rangeFaults[Math.floor(random() * rangeFaults.length)] ?? range)(metadata);
  };
  const usual = fake.onWatch;
  let last: Watch | undefined;
  fake.onWatch = (watch, request) => {
    last = watch;
    if (!isFaulty()) return usual(watch, request);
    left -= 1;
    watchFaults[Math.floor(random() * watchFaults.length)]?.(watch);
  };
  const striking = setInterval(() => random() < 0.3 && breaker.strike(), 50);
  cleanups.push(() => clearInterval(striking));
  await until(() => left <= 0, "the end of the storm");
  clearInterval(striking);
  for (const { endpoints, error } of reader.snapshots.slice(from)) {
    const first = endpoints?.find(({ id }) => id === "1");
    assert.deepEqual(first?.addresses, [{ host: "10.0.0.1", port: 80 }], "the last good endpoint serves");
    assert.ok((error?.message.length ?? 0) < 1_000, error?.message);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these must not reach a terminal
    assert.doesNotMatch(error?.message ?? "", /[\u0000-\u001f]/);
  }
  assert.ok(source.stats.errors.unavailable > 20, `the storm was one: ${JSON.stringify(source.stats)}`);
  // The last read of the storm may be a wrong one: the watch that follows has the truth.
  const removed = [2, 7, 8].map((n) => ({ type: Event_EventType.DELETE, kv: kv(n) }));
  fake.onWatch = (watch, request) => {
    usual(watch, request);
    if (request.requestUnion?.$case === "createRequest")
      respond(watch, { ...revision, events: [...removed, { kv: kv(1) }, { kv: kv(3) }] });
  };
  last?.end();
  await reader.until("no error", ({ error }) => error === undefined);
  await reader.untilAddresses("10.0.0.1:80", "10.0.0.3:80");
});
