import assert from "node:assert/strict";
import { once } from "node:events";
import { Agent, get } from "node:http";
import { connect } from "node:net";
import { afterEach, test } from "node:test";
import { assertNothingLeft } from "@grpc-lb/core/testing";
import { Pod } from "@grpc-lb/protos/pod/v1";
import { createWorkload } from "../testing/workload.ts";
import { type HttpServer, listenHttp } from "./http.ts";
import { Readiness } from "./readiness.ts";

const pod = Pod.fromPartial({ name: "server-1", zone: "zone-a" });
const open: HttpServer[] = [];

async function start(readiness = new Readiness(), { workload } = createWorkload()): Promise<HttpServer> {
  const server = await listenHttp(pod, readiness, workload, { host: "127.0.0.1", port: 0 });
  open.push(server);
  return server;
}

function ask(port: number, path: string, agent = new Agent({ keepAlive: false })) {
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
  const answer = await ask(port, "/pod");
  assert.deepEqual([answer.status, answer.body], [200, "server-1"]);
  assert.match(answer.type ?? "", /^text\/plain/);
});

test("/ tells all that is known, as JSON", async () => {
  const { port } = await start();
  assert.deepEqual(JSON.parse((await ask(port, "/")).body), pod);
});

test("a draining server is alive, not ready, still answers, and asks clients to move", async () => {
  const readiness = new Readiness();
  const { port } = await start(readiness);
  assert.deepEqual((await ask(port, "/readyz")).status, 200);
  readiness.end();
  assert.deepEqual((await ask(port, "/readyz")).status, 503);
  assert.deepEqual((await ask(port, "/healthz")).status, 200);
  const agent = new Agent({ keepAlive: true });
  const answer = await ask(port, "/pod", agent);
  assert.deepEqual([answer.status, answer.body, answer.connection], [200, "server-1", "close"]);
  agent.destroy();
});

test("closing does not wait for idle connections that clients keep", async () => {
  const server = await start();
  const agent = new Agent({ keepAlive: true });
  await ask(server.port, "/pod", agent);
  await server.close();
  agent.destroy();
});

test("a request that was begun before the server closes is answered", async () => {
  const server = await start();
  const socket = connect(server.port, "127.0.0.1");
  await once(socket, "connect");
  socket.write("GET /pod HTTP/1.1\r\nHost: a\r\n");
  await ask(server.port, "/pod"); // what the socket sent has been read by now
  const closed = server.close();
  socket.write("Connection: close\r\n\r\n");
  let answer = "";
  for await (const chunk of socket.setEncoding("utf8")) answer += chunk;
  assert.match(answer, /^HTTP\/1.1 200 OK.*server-1$/s);
  await closed;
});

test("an unknown path is 404", async () => {
  const { port } = await start();
  assert.equal((await ask(port, "/nothing")).status, 404);
});

test("calls that are asked to fail are 503 and say so; probes do not fail, nor do they take a place", async () => {
  const rig = createWorkload({ errorRate: 1, latencyMs: 1_000, capacity: 1 });
  const { port } = await start(new Readiness(), rig);
  const failed = ask(port, "/pod");
  await rig.clock.asleep();
  for (const path of ["/healthz", "/readyz", "/"]) assert.equal((await ask(port, path)).status, 200, path);
  rig.clock.advance(1_000);
  const { status, body } = await failed;
  assert.deepEqual([status, body], [503, "server-1 fails by --error-rate"]);
});

test("a client that goes away ends the wait of its call, and gives its place back", async () => {
  const rig = createWorkload({ latencyMs: 1_000, capacity: 1 });
  const { port } = await start(new Readiness(), rig);
  const socket = connect(port, "127.0.0.1");
  socket.write("GET /pod HTTP/1.1\r\nHost: a\r\n\r\n");
  await rig.clock.asleep();
  socket.destroy();
  while (rig.clock.sleeping > 0) await new Promise((resolve) => setImmediate(resolve));
  const next = ask(port, "/pod");
  await rig.clock.asleep();
  rig.clock.advance(1_000);
  assert.equal((await next).status, 200);
});

test("closing waits for calls that take their time; cutting ends them", async () => {
  for (const end of ["wait", "cut"] as const) {
    const rig = createWorkload({ latencyMs: 1_000 });
    const server = await start(new Readiness(), rig);
    const answer = ask(server.port, "/pod").then(
      ({ body }) => body,
      () => "cut",
    );
    await rig.clock.asleep();
    const closed = server.close();
    if (end === "cut") server.cut();
    else rig.clock.advance(1_000);
    assert.equal(await answer, end === "cut" ? "cut" : "server-1");
    await closed;
    while (rig.clock.sleeping > 0) await new Promise((resolve) => setImmediate(resolve));
  }
});
