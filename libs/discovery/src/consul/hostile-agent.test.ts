import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import type { ServerResponse } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { afterEach, test } from "node:test";
import type { Context } from "@grpc-lb/core";
import { createRandom } from "@grpc-lb/core";
import { assertNothingLeft, ManualClock, makeCertificates, turn, until } from "@grpc-lb/core/testing";
import { FakeConsulAgent } from "../../testing/consul/fake-agent.ts";
import { sourceIn } from "../../testing/context.ts";
import { fasterClock } from "../../testing/faster-clock.ts";
import { SnapshotReader } from "../../testing/snapshot-reader.ts";
import { readConsulEnvironment } from "./access.ts";
import { registerInConsul, registerInConsulIn } from "./registration.ts";
import { type ConsulSourceOptions, defineConsulSource } from "./source.ts";

const ends: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
  await assertNothingLeft();
});

const web = (n: number) => ({ ID: `web-${n}`, Name: "web", Address: `10.0.0.${n}`, Port: 80 });

async function start(options: Partial<ConsulSourceOptions & Context> = {}) {
  const agent = await FakeConsulAgent.start();
  ends.push(() => agent.close());
  agent.put(web(1));
  const source = sourceIn(defineConsulSource, { agent: agent.address, service: "web", credentials: {}, ...options });
  const reader = new SnapshotReader(source);
  ends.push(() => reader.close());
  return { agent, source, reader };
}

const upgrade = ({ socket }: ServerResponse) =>
  void socket?.write("HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n");

/** Answers with one character every 20 ms. */
function drip(response: ServerResponse, character = " "): void {
  response.writeHead(200, { "x-consul-index": "7" });
  const timer = setInterval(() => response.write(character), 20);
  response.on("close", () => clearInterval(timer));
}

/** Answers as fast as the client reads, and never ends. */
function endless(response: ServerResponse): void {
  const piece = `"${"x".repeat(2 ** 20)}`;
  response.writeHead(200, { "x-consul-index": "7" });
  const more = () => {
    while (!response.destroyed && response.write(piece));
  };
  response.on("drain", more);
  more();
}

test("a watch answered with 101 is an error, and its close does not wait", async () => {
  const { agent, reader } = await start();
  agent.interfere((_, response) => {
    upgrade(response);
    return true;
  });
  const { error } = await reader.until("an error", (snapshot) => snapshot.error !== undefined);
  assert.match(
    error?.message ?? "",
    /^consul: read service web: 127\.0\.0\.1:\d+: 101 Switching Protocols: no upgrade was requested$/,
  );
  agent.interfere(undefined);
  const { error: none } = await reader.untilAddresses("10.0.0.1:80");
  assert.equal(none, undefined);
});

test("an answer that drips is an error after a minute more than it may wait, and is not taken for a sync", async () => {
  const clock = new ManualClock();
  const { agent, source, reader } = await start({ clock, random: () => 0, waitMs: 16_000, answerTimeoutMs: 5_000 });
  await reader.untilAddresses("10.0.0.1:80");
  let dripping: ServerResponse | undefined;
  agent.interfere((_, response) => {
    drip(response);
    dripping = response;
    return true;
  });
  await clock.asleep();
  clock.advance(50); // the floor
  await until(() => dripping !== undefined, "a query");
  const dueMs = 16_000 + 1_000 + 5_000 + 60_000;
  for (let ms = 0; ms < dueMs; ms += 1_000) {
    assert.equal(reader.last?.error, undefined);
    await new Promise((resolve) => dripping?.write(" ", resolve)); // within the silence that is allowed
    await until(() => clock.sleeping === 1, "the deadline");
    for (let n = 0; n < 5; n++) await turn();
    clock.advance(1_000);
  }
  const { error, endpoints } = await reader.until("an error", (snapshot) => snapshot.error !== undefined);
  assert.match(error?.message ?? "", /: no whole answer within 82 s$/);
  assert.equal(endpoints?.length, 1);
  assert.equal(source.stats.lastSyncAgeMs, dueMs + 50);
  agent.interfere(undefined);
});

test("an endless answer is an error in bounded memory, the endpoints stay, and a pause follows", async () => {
  const clock = new ManualClock();
  const { agent, reader } = await start({ clock, random: () => 0.5 });
  await reader.untilAddresses("10.0.0.1:80");
  agent.interfere((_, response) => {
    endless(response);
    return true;
  });
  await clock.asleep();
  clock.advance(75); // the floor
  const { error, endpoints } = await reader.until("an error", (snapshot) => snapshot.error !== undefined, 20_000);
  assert.match(error?.message ?? "", /: the answer is longer than 67108864 characters$/);
  assert.equal(endpoints?.length, 1);
  const { requests } = agent.counts;
  for (let n = 0; n < 100; n++) await turn();
  assert.equal(agent.counts.requests, requests, "a pause follows");
  assert.ok(process.memoryUsage().rss < 700e6, `${process.memoryUsage().rss} bytes`);
});

test("a registration answered with 101 is an error; the instance is registered when the agent answers well", async () => {
  const agent = await FakeConsulAgent.start();
  ends.push(() => agent.close());
  agent.interfere((_, response) => {
    upgrade(response);
    return true;
  });
  const errors: string[] = [];
  const instance = { service: "web", address: { host: "10.0.0.1", port: 80 } };
  const registration = registerInConsul({
    agent: agent.address,
    credentials: {},
    instance,
    onError: ({ message }) => void errors.push(message),
  });
  ends.push(() => registration.close());
  await until(() => errors.length > 0, "an error");
  assert.match(
    errors[0] ?? "",
    /^consul: register service web: .*: 101 Switching Protocols: no upgrade was requested$/,
  );
  agent.interfere(undefined);
  await registration.registered;
});

for (const body of ["{}", "[]", "5", "null", "true", "<html>Please log in</html>"]) {
  test(`a write that is answered with 200 and ${body} is not done`, async () => {
    const clock = fasterClock(20);
    const agent = await FakeConsulAgent.start();
    ends.push(() => agent.close());
    const answered = new Set<string>();
    const fault = ({ path }: { readonly path: string }, response: ServerResponse) => {
      answered.add(path.replace(/web.*|:.*/, ""));
      response.writeHead(200).end(body);
      return true;
    };
    const instance = { service: "web", address: { host: "10.0.0.1", port: 80 } };
    for (const check of [{ t: "ttl" }, { t: "grpc" }] as const) {
      const registered: string[] = [];
      const options = { agent: agent.address, credentials: {}, instance, check };
      agent.interfere(fault);
      const registration = registerInConsulIn({ ...options, onRegistered: () => registered.push("yes") }, { clock });
      ends.push(() => registration.close());
      await until(() => registration.stats.error !== undefined, "an error");
      assert.match(
        registration.stats.error ?? "",
        /^consul: register service web: .*: the answer must be nothing, got /,
      );
      assert.deepEqual([registration.stats.isRegistered, registered], [false, []]);
      agent.interfere(undefined);
      await registration.registered;
      agent.interfere(fault);
      await until(() => registration.stats.error !== undefined, "an error of a refresh");
      await until(() => !registration.stats.isRegistered, "the end of the TTL");
      agent.interfere(undefined);
      await until(() => registration.stats.isRegistered, "a refresh");
      agent.interfere(fault);
      const closing = registration.close();
      await until(() => [...answered].some((path) => path.includes("deregister")), "a deregistration");
      agent.interfere(undefined);
      await closing;
      assert.equal(agent.registered.size, 0);
      answered.clear();
    }
  });
}

test("a gRPC check is not kept by an answer about another service", async () => {
  const clock = fasterClock(20);
  const agent = await FakeConsulAgent.start();
  ends.push(() => agent.close());
  const instance = { service: "web", address: { host: "10.0.0.1", port: 80 } };
  const options = { agent: agent.address, credentials: {}, instance, check: { t: "grpc" } } as const;
  const registration = registerInConsulIn(options, { clock });
  ends.push(() => registration.close());
  await registration.registered;
  agent.interfere(({ method }, response) => {
    if (method === "GET") response.writeHead(200).end('{"ID":"other"}');
    return method === "GET";
  });
  await until(() => registration.stats.error !== undefined, "an error");
  assert.match(
    registration.stats.error ?? "",
    /the answer must be the service web-10\.0\.0\.1-80, got \{"ID":"other"\}/,
  );
});

test("with a TTL of 10 s answers that drip leave less than the TTL between two requests", async () => {
  const clock = fasterClock(10);
  const agent = await FakeConsulAgent.start();
  ends.push(() => agent.close());
  const atMs: number[] = [];
  const fault = (_: unknown, response: ServerResponse) => {
    atMs.push(clock.now());
    drip(response); // 0.4 s apart by this clock
    return true;
  };
  const instance = { service: "web", address: { host: "10.0.0.1", port: 80 }, ttlMs: 10_000 };
  agent.interfere(fault);
  const registration = registerInConsulIn(
    { agent: agent.address, credentials: {}, instance },
    { clock, random: () => 1 },
  );
  ends.push(() => registration.close());
  const assertPace = async () => {
    await until(() => atMs.length >= 4, "four requests");
    const gapsMs = atMs.slice(1).map((each, n) => each - (atMs[n] ?? 0));
    assert.ok(Math.max(...gapsMs) < 10_000, `the requests are ${gapsMs.join(", ")} ms apart`);
    assert.match(registration.stats.error ?? "", /: no whole answer within 3 s$/);
  };
  await assertPace();
  agent.interfere(undefined);
  await registration.registered;
  atMs.splice(0, Number.POSITIVE_INFINITY, clock.now());
  agent.interfere(fault);
  await assertPace();
  agent.interfere(undefined);
});

test("an agent that wants no request for a minute does not cost the TTL", async () => {
  const clock = new ManualClock();
  const agent = await FakeConsulAgent.start();
  ends.push(() => agent.close());
  agent.refuse(429, "too many", { retryAfterSeconds: 60, times: 1 });
  const instance = { service: "web", address: { host: "10.0.0.1", port: 80 }, ttlMs: 9_000 };
  const registration = registerInConsulIn({ agent: agent.address, credentials: {}, instance }, { clock });
  await agent.until(({ requests }) => requests === 1);
  await until(() => registration.stats.error !== undefined && clock.sleeping === 1, "the pause");
  clock.advance(3_000);
  await registration.registered;
  await registration.close();
});

test("with CONSUL_HTTP_ADDR=https://… or a CA alone requests use TLS, and an agent without TLS receives no token", async (t) => {
  const certificates = makeCertificates();
  if (!certificates) return t.skip("there is no openssl to make certificates with");
  const { caFile, server: pair, remove } = certificates;
  ends.push(remove);
  const [key, cert] = await Promise.all([pair.keyFile, pair.certFile].map((file) => readFile(file)));
  const tokens: unknown[] = [];
  const secure = createSecureServer({ key, cert }, ({ headers, url }, response) => {
    tokens.push(headers["x-consul-token"]);
    if (!url?.includes("index=")) response.writeHead(200, { "x-consul-index": "1" }).end("[]");
  }).listen(0, "127.0.0.1");
  const received: Buffer[] = [];
  const sockets = new Set<Socket>();
  const plain = createServer((socket) => {
    sockets.add(socket.on("error", () => {}));
    socket.on("data", (data) => void received.push(data));
  }).listen(0, "127.0.0.1");
  ends.push(() => {
    for (const socket of sockets) socket.destroy();
    plain.close();
    secure.close();
    secure.closeAllConnections();
  });
  await until(() => secure.listening && plain.listening, "two servers");
  const portOf = (server: { address(): unknown }) => (server.address() as AddressInfo).port;
  for (const address of [`https://127.0.0.1:${portOf(secure)}`, undefined]) {
    const env = { CONSUL_HTTP_TOKEN: "hunter2", CONSUL_CACERT: caFile, ...(address && { CONSUL_HTTP_ADDR: address }) };
    const credentials = readConsulEnvironment(env);
    const sourceAt = (port: number) =>
      new SnapshotReader(
        sourceIn(defineConsulSource, { agent: { host: "127.0.0.1", port }, service: "web", credentials }),
      );
    const reader = sourceAt(portOf(secure));
    await reader.untilAddresses();
    await reader.close();
    assert.deepEqual(new Set(tokens), new Set(["hunter2"]));
    const exposed = sourceAt(portOf(plain));
    const before = received.length;
    await until(() => received.length > before, "a request");
    await exposed.close();
    assert.ok(!Buffer.concat(received).includes("hunter2"));
    assert.equal(received[before]?.[0], 0x16, "a TLS handshake");
  }
});

/** What a broken agent may do to a request. */
const faults: readonly ((response: ServerResponse) => void)[] = [
  upgrade,
  ({ socket }) => void socket?.destroy(),
  ({ socket }) => void socket?.end("HTTP/1.1 200 OK\r\nx-consul-index: 9\r\ncontent-length: 999\r\n\r\n["),
  ({ socket }) => void socket?.end("SSH-2.0-OpenSSH_9.2\r\n"),
  ({ socket }) => void socket?.write("HTTP/1.1 200 OK\r\nx-consul-"),
  (response) => void response.writeHead(500).end("No cluster leader"),
  (response) => void response.writeHead(403).end("ACL not found"),
  (response) => void response.writeHead(503, { "retry-after": "0" }).end(),
  (response) => void response.writeHead(302, { location: "http://127.0.0.1:1/" }).end(),
  (response) => void response.writeHead(200).end("<html>Please log in</html>"),
  (response) => void response.writeHead(200).end("[]"), // without an index
  (response) => void response.writeHead(200, { "x-consul-index": "1e3" }).end("[]"),
  (response) => void response.writeHead(200, { "x-consul-index": "9" }).end("{}"),
  (response) => void response.writeHead(200, { "x-consul-index": "9" }).end('[{"Node":'),
  (response) =>
    void response.writeHead(200, { "x-consul-index": "9", "x-consul-results-filtered-by-acls": "true" }).end("[]"),
  (response) =>
    void response
      .writeHead(200, { "x-consul-index": "9" })
      .end('[null,{"Node":{"Node":"fake"},"Service":{"ID":"web-1","Port":{}}}]'),
  () => {}, // silence
  drip,
  (response) => drip(response, "["),
];

const seed = Number(process.env.SEED ?? 20_261);
test(`during a storm of broken answers the last good endpoints stay, and the true ones are published at the end (SEED=${seed})`, async () => {
  const random = createRandom(seed);
  const clock = fasterClock(100);
  const { agent, source, reader } = await start({ clock, random, waitMs: 10_000, answerTimeoutMs: 5_000 });
  await reader.untilAddresses("10.0.0.1:80");
  const from = reader.snapshots.length; // with a clock this fast the first query may already be late
  let left = 120;
  agent.interfere((_, response) => {
    if (left <= 0 || random() < 0.1) return false;
    left -= 1;
    faults[Math.floor(random() * faults.length)]?.(response);
    return true;
  });
  const breaking = setInterval(() => agent.setIndex(Math.floor(random() * 100)), 20);
  ends.push(() => clearInterval(breaking));
  await until(() => left <= 0, "the end of the storm");
  clearInterval(breaking);
  assert.ok(
    reader.snapshots.slice(from).every(({ endpoints }) => endpoints?.length === 1),
    "the last good endpoints stay",
  );
  agent.put(web(2));
  agent.put(web(3));
  agent.remove("web-1");
  await reader.untilAddresses("10.0.0.2:80", "10.0.0.3:80");
  await reader.until("no error", ({ error }) => error === undefined);
  assert.ok(source.stats.errors.unavailable > 20, "the storm was one");
});
