import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { connect } from "node:net";
import { afterEach, test } from "node:test";
import { Client, credentials, type ServiceError, status } from "@grpc/grpc-js";
import { assertNothingLeft, until } from "@grpc-lb/core/testing";
import { Pod, PodServiceClient } from "@grpc-lb/protos/pod/v1";
import { RawHttp2Client } from "../testing/raw-http2.ts";
import { createReadiness, createWorkload } from "../testing/workload.ts";
import { type GrpcListener, listenGrpc } from "./grpc.ts";
import { defaultHttp2Limits, type Http2Limits } from "./http2-limits.ts";

const pod = Pod.fromPartial({ name: "server-1" });
const getPodPath = "/pod.v1.PodService/GetPod";
const [rstStream, goaway] = [3, 7];
const closeables: { close(): unknown }[] = [];
const servers: GrpcListener[] = [];

async function start(limits: Partial<Http2Limits> = {}, { workload } = createWorkload()): Promise<number> {
  const server = await listenGrpc(pod, createReadiness(), workload, {
    host: "127.0.0.1",
    port: 0,
    maxConnectionAgeMs: 0,
    loadReports: undefined,
    limits: { ...defaultHttp2Limits, ...limits },
  });
  servers.push(server);
  return server.port;
}

async function connectRaw(port: number): Promise<RawHttp2Client> {
  const client = await RawHttp2Client.connect(port);
  closeables.push(client);
  return client;
}

/** Each client has a connection of its own. */
function connectClient(port: number): PodServiceClient {
  const options = { "grpc.use_local_subchannel_pool": 1 };
  const client = new PodServiceClient(`127.0.0.1:${port}`, credentials.createInsecure(), options);
  closeables.push(client);
  return client;
}

const getPod = (client: PodServiceClient) =>
  new Promise<string | undefined>((resolve, reject) => {
    client.getPod({}, (error, response) => (error ? reject(error) : resolve(response.pod?.name)));
  });

const ended = (client: RawHttp2Client) => until(() => client.socket.closed, "the connection has ended");
const reset = (client: RawHttp2Client, count: number) =>
  until(() => (client.received.get(rstStream) ?? 0) >= count, `${count} streams have been reset`);

afterEach(async () => {
  for (const each of closeables.splice(0)) each.close();
  for (const server of servers.splice(0)) {
    const closed = server.close();
    server.cut();
    await closed;
  }
  await assertNothingLeft();
});

test("a connection without the client's preface or SETTINGS ends at the handshake timeout", async () => {
  const port = await start({ handshakeTimeoutMs: 500 });
  const complete = await connectRaw(port);
  complete.handshake();
  const mute = await connectRaw(port);
  const half = await connectRaw(port);
  half.socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n");
  await Promise.all([ended(mute), ended(half)]);
  assert.equal(complete.socket.closed, false);
});

test("a connection without a stream gets a GOAWAY after the idle time", async () => {
  const client = await connectRaw(await start({ idleTimeoutMs: 100 }));
  client.handshake();
  await ended(client);
  assert.ok((client.received.get(goaway) ?? 0) > 0, "a GOAWAY before the end");
});

test("a request that does not end is reset at its timeout; others on its connection go on", async () => {
  const client = await connectRaw(await start({ requestTimeoutMs: 100 }));
  client.handshake();
  client.headers(1, getPodPath);
  await reset(client, 1);
  client.headers(3, getPodPath, { end: true });
  await until(() => (client.received.get(1) ?? 0) > 0, "the second request is answered");
  assert.equal(client.socket.closed, false);
});

test("a request without an end to an unknown method is answered and reset at once", async () => {
  const client = await connectRaw(await start());
  client.handshake();
  client.headers(1, "/pod.v1.PodService/Unknown");
  await reset(client, 1);
});

test("reflection keeps a stream that its client leaves open", async () => {
  const client = await connectRaw(await start({ requestTimeoutMs: 50 }));
  client.handshake();
  client.headers(1, "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo");
  client.headers(3, getPodPath);
  await reset(client, 1);
  assert.equal(client.received.get(rstStream), 1, "only the unary request was reset");
});

test("beyond the streams of a connection the others are refused", async () => {
  const client = await connectRaw(await start({ maxStreamsPerConnection: 10 }));
  client.handshake();
  for (let n = 0; n < 30; n++) client.headers(2 * n + 1, getPodPath);
  await reset(client, 20);
});

test("beyond the streams of all connections the one with the most loses its oldest", async () => {
  const rig = createWorkload({ latencyMs: 1_000 });
  const port = await start({ maxStreams: 20 }, rig);
  const call = getPod(connectClient(port));
  await rig.clock.asleep();
  const attacker = await connectRaw(port);
  attacker.handshake();
  for (let n = 0; n < 30; n++) attacker.headers(2 * n + 1, getPodPath);
  await reset(attacker, 11);
  rig.clock.advance(1_000);
  assert.equal(await call, "server-1");
});

test("beyond the connections the oldest that never made a request is closed", async () => {
  const port = await start({ maxConnections: 3 });
  const client = connectClient(port);
  assert.equal(await getPod(client), "server-1");
  const mute = [];
  for (let n = 0; n < 5; n++) mute.push(await connectRaw(port));
  await Promise.all(mute.slice(0, 3).map(ended));
  assert.equal(await getPod(connectClient(port)), "server-1", "a new client gets in");
  assert.equal(await getPod(client), "server-1");
});

test("the header limit is announced, and headers of up to 64 kB beyond it fail their call alone", async () => {
  const port = await start();
  const session = connectHttp2(`http://127.0.0.1:${port}`);
  const [settings] = await once(session, "remoteSettings");
  assert.equal(settings.maxHeaderListSize, 16_384);
  session.destroy();

  const client = await connectRaw(port);
  client.handshake();
  await until(() => client.received.size > 0, "the server's settings");
  client.headers(1, getPodPath, { extra: "x".repeat(40_000), end: true });
  client.headers(3, getPodPath, { end: true });
  await reset(client, 1);
  await until(() => (client.received.get(1) ?? 0) > 0, "the second request is answered");
});

test("a message beyond the limit is RESOURCE_EXHAUSTED, and no more than the limit is kept of it", async () => {
  const client = new Client(`127.0.0.1:${await start()}`, credentials.createInsecure());
  closeables.push(client);
  const bytes = (buffer: Buffer) => buffer;
  const error = await new Promise<ServiceError | null>((resolve) => {
    client.makeUnaryRequest(getPodPath, bytes, bytes, Buffer.alloc(16_385), (failed) => resolve(failed));
  });
  assert.equal(error?.code, status.RESOURCE_EXHAUSTED);
});

test("a peer that does not speak HTTP/2 is disconnected at once", async () => {
  const socket = connect(await start(), "127.0.0.1");
  closeables.push({ close: () => socket.destroy() });
  socket.on("error", () => {}).resume();
  socket.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  await once(socket, "close");
});
