import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { assertNothingLeft, until } from "@grpc-lb/core/testing";
import { createRouteServer, type RouteServerLimits } from "./route-server.ts";
import type { AdminRoute, AdminRoutes } from "./routes.ts";

const defaults: RouteServerLimits = {
  maxConnections: 10,
  maxBodyBytes: 8,
  timeoutMs: 10_000,
  checkIntervalMs: 20,
  keepAliveTimeoutMs: 10_000,
  closeMs: 10_000,
};

/** Text of `bytes` bytes, more than the buffers of a connection hold. */
const hugeText = "x".repeat(32 * 1_024 * 1_024);

/** Starts a server; `open` connects and returns the socket and all that it has received so far. */
async function start(t: TestContext, limits: Partial<RouteServerLimits>, ...routes: readonly AdminRoute[]) {
  const { server, close } = createRouteServer([{ routes }], { ...defaults, ...limits });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  t.after(async () => {
    server.closeAllConnections();
    await close();
    await assertNothingLeft();
  });
  const open = (text: string) => {
    const socket: Socket = connect(port, "127.0.0.1", () => socket.write(text));
    const peer = { socket, received: "" };
    socket.on("error", () => {}); // a test sees that it is closed
    socket.on("data", (data) => {
      peer.received += data;
    });
    return peer;
  };
  /** Sends a request, and returns the answer's head, with names in lower case and no date, and its body. */
  const send = async (request: string, body = "") => {
    const [line, ...headers] = request.split("\n");
    const head = [`${line} HTTP/1.1`, "host: a", "connection: close", ...headers].join("\r\n");
    const peer = open(`${head}\r\n\r\n${body}`);
    await once(peer.socket, "close");
    const [top = "", ...rest] = peer.received.split("\r\n\r\n");
    const [status = "", ...fields] = top.split("\r\n");
    const named = fields.map((field) => /^([^:]+): (.*)$/.exec(field)?.slice(1) ?? []);
    const answered = Object.fromEntries(named.map(([name = "", value]) => [name.toLowerCase(), value]));
    return { status: Number(status.split(" ")[1]), headers: answered, body: rest.join("\r\n\r\n") };
  };
  return { server, close, open, send };
}

const ok: AdminRoute = { method: "GET", path: "/ok", answer: () => ({ body: "ok" }) };
const echo: AdminRoute = { method: "PUT", path: "/echo", answer: ({ body }) => ({ body }) };

/** A route that answers when `answer` is called. */
function held(path = "/held") {
  const [entered, left] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const route: AdminRoute = {
    method: "GET",
    path,
    async answer() {
      entered.resolve();
      await left.promise;
      return { body: "held" };
    },
  };
  return { route, entered: entered.promise, answer: left.resolve };
}

test("a route answers GET and HEAD with its status, type and headers, and nothing is cached", async (t) => {
  const answer = () => ({ status: 201, type: "text/x", headers: { "x-a": "b" }, body: "é" });
  const { send } = await start(t, {}, ok, { method: "GET", path: "/all", answer });
  const all = { "cache-control": "no-store", "content-length": "2", connection: "close" };
  const withoutDate = async (request: string) => {
    const { headers, ...rest } = await send(request);
    const { date, ...others } = headers;
    assert.ok(date);
    return { ...rest, headers: others };
  };
  const plain = { ...all, "content-type": "text/plain" };
  assert.deepEqual(await withoutDate("GET /ok?a=b#c"), { status: 200, headers: plain, body: "ok" });
  assert.deepEqual(await withoutDate("GET http://a:1/ok"), { status: 200, headers: plain, body: "ok" });
  assert.deepEqual(await withoutDate("HEAD /ok"), { status: 200, headers: plain, body: "" });
  const headers = { ...all, "content-type": "text/x", "x-a": "b" };
  assert.deepEqual(await withoutDate("GET /all"), { status: 201, headers, body: "é" });
});

test("an unknown path is 404, and another method 405 with those there are", async (t) => {
  const { send } = await start(t, {}, ok, echo);
  for (const path of ["/", "/ok/", "/OK", "/o%6b", "//ok", "/ok;a"]) {
    const { status, body } = await send(`GET ${path}`);
    assert.deepEqual([status, body], [404, "Not Found"], path);
  }
  const { status, headers, body } = await send("PUT /ok\ncontent-length: 2", "ab");
  assert.deepEqual([status, headers.allow, body], [405, "GET, HEAD", "Method Not Allowed"]);
  assert.equal((await send("GET /echo")).headers.allow, "PUT");
  assert.equal((await send("OPTIONS *")).status, 404);
});

test("a body is limited with and without its length, and the connection of a larger one is closed", async (t) => {
  const { send, open } = await start(t, {}, echo, { ...echo, path: "/two", maxBodyBytes: 2 });
  const put = async (head: string, body: string) => {
    const answer = await send(`PUT ${head}`, body);
    return [answer.status, answer.body];
  };
  const tooLarge = [413, "Payload Too Large"];
  assert.deepEqual(await put("/echo\ncontent-length: 8", "éééé"), [200, "éééé"]);
  assert.deepEqual(await put("/echo\ncontent-length: 9", "123456789"), tooLarge);
  assert.deepEqual(await put("/two\ncontent-length: 3", "123"), tooLarge);
  assert.deepEqual(await put("/echo\ntransfer-encoding: chunked", "4\r\n1234\r\n0\r\n\r\n"), [200, "1234"]);
  assert.deepEqual(await put("/echo\ntransfer-encoding: chunked", "9\r\n123456789\r\n0\r\n\r\n"), tooLarge);
  assert.deepEqual(await put("/echo", ""), [200, ""]);
  assert.deepEqual(await put("/echo\ncontent-length: 1\ncontent-type: application/json; a=b", "{"), [200, "{"]);
  assert.deepEqual(await put("/echo\ncontent-length: 1\ncontent-type: json", "{"), [415, "Unsupported Media Type"]);

  const kept = open("PUT /two HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\n123GET /ok HTTP/1.1\r\nhost: a\r\n\r\n");
  await once(kept.socket, "close");
  assert.match(kept.received, /^HTTP\/1\.1 413 /);
  assert.doesNotMatch(kept.received, /HTTP\/1\.1 (?!413)/, "what follows the body is no request");
});

test("a request without a right is refused before its body is read", async (t) => {
  const refused: AdminRoute = {
    ...echo,
    refuse: async ({ headers }) => (headers.authorization === "yes" ? undefined : { status: 401, body: "no" }),
  };
  const { send } = await start(t, {}, refused);
  const { status, body } = await send("PUT /echo\ncontent-length: 100", "");
  assert.deepEqual([status, body], [401, "no"]);
  assert.equal((await send("PUT /echo\nauthorization: yes\ncontent-length: 1", "a")).body, "a");
});

test("a route that fails answers 500 without the reason, is reported once, and harms no other", async (t) => {
  const warnings: string[] = [];
  const onWarning = ({ message }: Error) => void warnings.push(message);
  process.on("warning", onWarning);
  t.after(() => process.off("warning", onWarning));
  const fail = () => {
    throw new Error("a bug");
  };
  const { send } = await start(
    t,
    {},
    ok,
    { method: "GET", path: "/throws", answer: fail },
    { method: "GET", path: "/rejects", answer: () => Promise.reject(new Error("another bug")) },
    { method: "GET", path: "/refuses", answer: fail, refuse: () => Promise.reject(new Error("a third")) },
    { method: "GET", path: "/nothing", answer: () => undefined as never },
    { method: "GET", path: "/header", answer: () => ({ body: "", headers: { "x-a": "b\nc" } }) },
  );
  for (const path of ["/throws", "/throws", "/rejects", "/refuses", "/nothing", "/header"]) {
    const { status, body } = await send(`GET ${path}`);
    assert.deepEqual([status, body], [500, "Internal Server Error"], path);
  }
  assert.equal((await send("GET /ok")).status, 200);
  await until(() => warnings.length >= 5, "the warnings");
  assert.deepEqual(warnings.slice(0, 3), [
    "admin port: GET /throws failed: a bug",
    "admin port: GET /rejects failed: another bug",
    "admin port: GET /refuses failed: a third",
  ]);
  assert.equal(warnings.length, 5);
});

test("pipelined requests are answered in their order", async (t) => {
  const { route, entered, answer } = held();
  const { open } = await start(t, {}, ok, route, echo);
  const get = (path: string, more = "") => `GET ${path} HTTP/1.1\r\nhost: a\r\n${more}\r\n`;
  const put = "PUT /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n\r\necho";
  const peer = open(`${get("/held")}${get("/ok")}${put}${get("/unknown", "connection: close\r\n")}`);
  await entered;
  answer();
  await once(peer.socket, "close");
  const answers = [...peer.received.matchAll(/HTTP\/1\.1 (\d+).*?\r\n\r\n([a-zA-Z ]*)(?=HTTP|$)/gs)];
  assert.deepEqual(
    answers.map(([, status, body]) => [status, body]),
    [
      ["200", "held"],
      ["200", "ok"],
      ["200", "echo"],
      ["404", "Not Found"],
    ],
  );
});

test("close waits for requests in progress, whose connections end with their answers; a request that comes then is 503", async (t) => {
  const { route, entered, answer } = held();
  const { open, close } = await start(t, {}, ok, route);
  const head = (path: string) => `GET ${path} HTTP/1.1\r\nhost: a\r\n`;
  const busy = open(`${head("/held")}\r\n`);
  const idle = open(`${head("/ok")}\r\n`);
  const late = open(`${head("/ok")}\r\n${head("/ok")}`);
  await until(() => [idle, late].every(({ received }) => received.endsWith("ok")), "the answers before the close");
  await entered;
  const closed = [busy, late].map(({ socket }) => once(socket, "close"));
  const idleClosed = once(idle.socket, "close");
  const closing = close();
  await idleClosed;
  late.received = "";
  late.socket.write("\r\n");
  answer();
  await Promise.all([...closed, closing, close()]);
  assert.match(busy.received, /^HTTP\/1\.1 200 .*connection: close\r\n.*held$/is);
  assert.match(late.received, /^HTTP\/1\.1 503 .*connection: close\r\n.*Service Unavailable$/is);
});

test("close cuts what does not end in time, and then closes the routes, once", async () => {
  const { route, entered } = held();
  let closed = 0;
  const group: AdminRoutes = { routes: [route], close: () => void closed++ };
  const { server, close } = createRouteServer([group], { ...defaults, closeMs: 20 });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
  const cut = once(
    socket.resume().on("error", () => {}),
    "close",
  );
  socket.write("GET /held HTTP/1.1\r\nhost: a\r\n\r\n");
  await entered;
  assert.equal(closed, 0);
  await Promise.all([close(), close(), cut]);
  assert.equal(closed, 1);
  await assertNothingLeft();
});

test("peers that send slowly, do not read, or go in the middle are closed, and leave nothing", async (t) => {
  const huge: AdminRoute = { method: "GET", path: "/huge", answer: () => ({ body: hugeText }) };
  const { open, server, send } = await start(t, { timeoutMs: 200 }, ok, echo, huge);
  const connections = new Set<Socket>();
  server.on("connection", (socket) => {
    connections.add(socket);
    socket.once("close", () => connections.delete(socket));
  });
  const silent = open("");
  const head = open("GET /ok HTTP/1.1\r\nhost: a\r\n");
  const body = open("PUT /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n\r\nec");
  const drip = setInterval(() => head.socket.write("x: y\r\n"), 50); // a header is no progress
  const unread = open("GET /huge HTTP/1.1\r\nhost: a\r\n\r\n");
  unread.socket.pause();
  const gone = open("PUT /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n\r\nec");
  await once(gone.socket, "connect");
  gone.socket.resetAndDestroy();
  await Promise.all([silent, head, body].map(({ socket }) => once(socket, "close")));
  clearInterval(drip);
  assert.match(head.received, /^(HTTP\/1\.1 408 |$)/);
  assert.doesNotMatch(body.received, /200/);
  await until(() => connections.size === 0, "the end of all connections, also of the peer that does not read");
  unread.socket.destroy();
  assert.equal((await send("GET /ok")).status, 200);
});

test("a connection above the limit is closed, and the others go on", async (t) => {
  const { open } = await start(t, { maxConnections: 1 }, ok);
  const request = "GET /ok HTTP/1.1\r\nhost: a\r\n\r\n";
  const first = open(request);
  await until(() => first.received.endsWith("ok"), "the first answer");
  const second = open(request);
  await once(second.socket, "close");
  assert.equal(second.received, "");
  first.received = "";
  first.socket.write(request);
  await until(() => first.received.endsWith("ok"), "the second answer");
});
