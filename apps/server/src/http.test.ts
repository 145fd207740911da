import assert from "node:assert/strict";
import { once } from "node:events";
import { Agent, get } from "node:http";
import { connect, type Socket } from "node:net";
import { afterEach, test } from "node:test";
import { assertNothingLeft, until } from "@grpc-lb/core/testing";
import { Pod } from "@grpc-lb/protos/pod/v1";
import { createReadiness, createWorkload } from "../testing/workload.ts";
import { defaultHttpLimits, type HttpLimits, type HttpServer, listenHttp } from "./http.ts";
import { Readiness } from "./readiness.ts";

const pod = Pod.fromPartial({ name: "server-1", zone: "zone-a" });
const open: HttpServer[] = [];

async function start(
  readiness = createReadiness(),
  { workload } = createWorkload(),
  limits: Partial<HttpLimits> = {},
): Promise<HttpServer> {
  const address = { host: "127.0.0.1", port: 0 };
  const server = await listenHttp(pod, readiness, workload, {
    ...address,
    limits: { ...defaultHttpLimits, ...limits },
  });
  open.push(server);
  return server;
}

function getFrom(port: number, path: string, agent = new Agent({ keepAlive: false })) {
  return new Promise<{ status: number; connection: string | undefined; type: string | undefined; body: string }>(
    (resolve, reject) => {
      get({ port, host: "127.0.0.1", path, agent }, async (response) => {
        let body = "";
        for await (const chunk of response.setEncoding("utf8")) body += chunk;
        const { connection, "content-type": type } = response.headers;
        resolve({ status: response.statusCode ?? 0, connection, type, body });
      }).on("error", reject);
    },
  );
}

afterEach(async () => {
  await Promise.all(open.splice(0).map((server) => server.close()));
  await assertNothingLeft();
});

test("/pod is the bare pod name with no end of line", async () => {
  const { port } = await start();
  const answer = await getFrom(port, "/pod");
  assert.deepEqual([answer.status, answer.body], [200, "server-1"]);
  assert.match(answer.type ?? "", /^text\/plain/);
});

test("/ is the whole pod as JSON", async () => {
  const { port } = await start();
  assert.deepEqual(JSON.parse((await getFrom(port, "/")).body), pod);
});

test("a server that starts is alive and not ready", async () => {
  const readiness = new Readiness();
  const { port } = await start(readiness);
  const { status, body } = await getFrom(port, "/readyz");
  assert.deepEqual([status, body, (await getFrom(port, "/healthz")).status], [503, "starting", 200]);
  readiness.start();
  assert.equal((await getFrom(port, "/readyz")).status, 200);
});

test("a draining server is alive, not ready, still answers, and closes connections that clients keep", async () => {
  const readiness = createReadiness();
  const { port } = await start(readiness);
  assert.deepEqual((await getFrom(port, "/readyz")).status, 200);
  readiness.end();
  assert.deepEqual((await getFrom(port, "/readyz")).status, 503);
  assert.deepEqual((await getFrom(port, "/healthz")).status, 200);
  const agent = new Agent({ keepAlive: true });
  const answer = await getFrom(port, "/pod", agent);
  assert.deepEqual([answer.status, answer.body, answer.connection], [200, "server-1", "close"]);
  agent.destroy();
});

test("closing does not wait for idle connections that clients keep", async () => {
  const server = await start();
  const agent = new Agent({ keepAlive: true });
  await getFrom(server.port, "/pod", agent);
  await server.close();
  agent.destroy();
});

test("a request that started before the server closes is answered", async () => {
  const server = await start();
  const socket = connect(server.port, "127.0.0.1");
  await once(socket, "connect");
  socket.write("GET /pod HTTP/1.1\r\nHost: a\r\n");
  await getFrom(server.port, "/pod"); // what the socket sent has been read by now
  const closed = server.close();
  socket.write("Connection: close\r\n\r\n");
  let answer = "";
  for await (const chunk of socket.setEncoding("utf8")) answer += chunk;
  assert.match(answer, /^HTTP\/1.1 200 OK.*server-1$/s);
  await closed;
});

test("an unknown path is 404", async () => {
  const { port } = await start();
  assert.equal((await getFrom(port, "/nothing")).status, 404);
});

test("calls that fail by --error-rate are 503 with the reason; probes neither fail nor wait", async () => {
  const rig = createWorkload({ errorRate: 1, latencyMs: 1_000, capacity: 1 });
  const { port } = await start(createReadiness(), rig);
  const failed = getFrom(port, "/pod");
  await rig.clock.asleep();
  for (const path of ["/healthz", "/readyz", "/"]) assert.equal((await getFrom(port, path)).status, 200, path);
  rig.clock.advance(1_000);
  const { status, body } = await failed;
  assert.deepEqual([status, body], [503, "server-1 fails by --error-rate"]);
});

test("a client that goes away ends the wait of its call and releases its permit", async () => {
  const rig = createWorkload({ latencyMs: 1_000, capacity: 1 });
  const { port } = await start(createReadiness(), rig);
  const socket = connect(port, "127.0.0.1");
  socket.write("GET /pod HTTP/1.1\r\nHost: a\r\n\r\n");
  await rig.clock.asleep();
  socket.destroy();
  await until(() => rig.clock.sleeping === 0, "no pending wait");
  const next = getFrom(port, "/pod");
  await rig.clock.asleep();
  rig.clock.advance(1_000);
  assert.equal((await next).status, 200);
});

test("closing waits for slow calls; cutting ends them", async () => {
  for (const end of ["wait", "cut"] as const) {
    const rig = createWorkload({ latencyMs: 1_000 });
    const server = await start(createReadiness(), rig);
    const answer = getFrom(server.port, "/pod").then(
      ({ body }) => body,
      () => "cut",
    );
    await rig.clock.asleep();
    const closed = server.close();
    if (end === "cut") server.cut();
    else rig.clock.advance(1_000);
    assert.equal(await answer, end === "cut" ? "cut" : "server-1");
    await closed;
    await until(() => rig.clock.sleeping === 0, "no pending wait");
  }
});

/** Connects, sends `text` and reads to the end. */
async function readToEnd(port: number, text: string, more?: (socket: Socket) => void): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  await once(socket, "connect");
  socket.write(text);
  more?.(socket);
  let answer = "";
  for await (const chunk of socket.setEncoding("utf8")) answer += chunk;
  return answer;
}

test("a connection ends when its request is not complete in time: nothing, half a header, a dripping body", async () => {
  const { port } = await start(undefined, undefined, { requestTimeoutMs: 200, checkIntervalMs: 50 });
  const drip = (socket: Socket) => {
    const timer = setInterval(() => socket.write("x"), 10);
    socket.once("close", () => clearInterval(timer)).on("error", () => {});
  };
  const post = "POST /pod HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Length: 10000\r\n\r\n";
  const get = "GET /pod HTTP/1.1\r\nHost: a\r\nContent-Length: 10000\r\n\r\n";
  const reads = [readToEnd(port, ""), readToEnd(port, "GET /pod HTTP/1.1\r\nHo"), readToEnd(port, post, drip)];
  for (const answer of await Promise.all(reads.map((read) => read.catch(() => "reset")))) {
    assert.match(answer, /^(HTTP\/1\.1 (408|404) .*|reset)$/s);
  }
  await readToEnd(port, get, drip).catch(() => "reset");
});

test("beyond the connections the oldest that never made a request is closed", async () => {
  const { port } = await start(undefined, undefined, { maxConnections: 3 });
  const agent = new Agent({ keepAlive: true });
  await getFrom(port, "/pod", agent);
  const mute: Socket[] = [];
  for (let n = 0; n < 5; n++) {
    const socket = connect(port, "127.0.0.1").on("error", () => {});
    mute.push(socket.resume());
    await once(socket, "connect");
  }
  const isClosed = () => mute.map(({ closed }) => closed);
  await until(() => isClosed().filter(Boolean).length >= 3, "three connections are closed");
  assert.deepEqual(isClosed(), [true, true, true, false, false]);
  assert.equal((await getFrom(port, "/pod", agent)).status, 200, "the connection with requests is kept");
  agent.destroy();
  for (const socket of mute) socket.destroy();
});

test("a few pipelined requests are answered in order; a connection with more unanswered ones is closed", async () => {
  const { port } = await start(createReadiness(), createWorkload(), { maxPipelined: 8 });
  const request = "GET /pod HTTP/1.1\r\nhost: a\r\n\r\n";
  const pipeline = async (count: number) => {
    const socket = connect(port, "127.0.0.1");
    let received = "";
    socket.setEncoding("utf8").on("data", (text) => {
      received += text;
    });
    const closed = once(socket, "close");
    socket.on("error", () => {}); // the server may reset it
    socket.write(request.repeat(count));
    const answers = () => received.split("HTTP/1.1 200").length - 1;
    return { socket, closed, answers };
  };
  const few = await pipeline(8);
  await until(() => few.answers() === 8, "eight answers");
  few.socket.destroy();
  await few.closed;
  const many = await pipeline(1_000);
  await many.closed;
  assert.ok(many.answers() <= 8, `want at most 8 answers, got ${many.answers()}`);
});
