import assert from "node:assert/strict";
import { lookup } from "node:dns/promises";
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from "node:net";
import { networkInterfaces } from "node:os";
import { afterEach, test } from "node:test";
import { assertNothingLeft } from "@grpc-lb/core/testing";
import { callOverFreshConnections } from "./fresh-connection.ts";

const enough = 10_000;
const getPod = (url: URL, timeoutMs: number) => callOverFreshConnections(url, timeoutMs).call();
const servers: Server[] = [];
const hasIpv6 = Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === "::1"));

/** Listens and counts connections; the test's end closes it. */
async function listen(server: Server, host = "127.0.0.1") {
  const sockets: Socket[] = [];
  server.on("connection", (socket) => sockets.push(socket));
  server.listen(0, host);
  await once(server, "listening");
  servers.push(server);
  const { port } = server.address() as AddressInfo;
  return { url: new URL(`http://${host.includes(":") ? `[${host}]` : host}:${port}/pod`), sockets };
}

const serve = (listener: RequestListener, host?: string) => listen(createServer(listener), host);

async function failure(url: URL, timeoutMs = enough): Promise<string> {
  const pod = getPod(url, timeoutMs);
  const error: unknown = await pod.then(
    (name) => assert.fail(`want an error, got the pod "${name}"`),
    (reason) => reason,
  );
  assert.ok(error instanceof Error, `want an Error, got ${error}`);
  return error.message.replace(`${url.origin}${url.pathname}`, "URL");
}

// Servers stop listening here and cut nothing: a connection that the client left open is found.
afterEach(async () => {
  for (const server of servers.splice(0)) server.close();
  await assertNothingLeft();
});

test("each call opens a connection of its own and closes it", async () => {
  const { url, sockets } = await serve((_request, response) => response.end("server-1"));
  for (let n = 1; n <= 3; n++) {
    assert.equal(await getPod(url, enough), "server-1");
    assert.equal(sockets.length, n, "connections that the server saw");
  }
  await Promise.all(sockets.map((socket) => socket.destroyed || once(socket, "close")));
});

test("the URL is asked for as it is, with GET, and the connection is not offered for another call", async () => {
  const seen: unknown[] = [];
  const { url } = await serve(({ method, url, headers }, response) => {
    seen.push(method, url, headers.connection);
    response.end("a");
  });
  await getPod(new URL("/other?x=1", url), enough);
  assert.deepEqual(seen, ["GET", "/other?x=1", "close"]);
});

test("a pod is reached over IPv6", { skip: !hasIpv6 && "no IPv6 here" }, async () => {
  const { url } = await serve((_request, response) => response.end("six"), "::1");
  assert.equal(await getPod(url, enough), "six");
});

test("a body in pieces is one name; a name of 253 characters is taken", async () => {
  const name = "a".repeat(253);
  const { url } = await serve((_request, response) => {
    response.write(name.slice(0, 100), () => response.end(name.slice(100)));
  });
  assert.equal(await getPod(url, enough), name);
});

test("a status other than 200 is an error that names it, however long its page is", async () => {
  const { url } = await serve((request, response) => {
    response.statusCode = Number(new URL(request.url ?? "", "http://x").searchParams.get("status"));
    response.end(request.url?.includes("long") ? "x".repeat(100_000) : "server-1");
  });
  for (const [status, want] of [
    [404, "404 Not Found"],
    [503, "503 Service Unavailable"],
    [301, "301 Moved Permanently"],
    [204, "204 No Content"],
  ] as const) {
    const target = new URL(`?status=${status}`, url);
    assert.equal(await failure(target), `GET URL: ${want}`);
  }
  assert.equal(await failure(new URL("?status=502&long", url)), "GET URL: 502 Bad Gateway");
});

test("an error page that never ends is not waited for", async () => {
  const { url } = await serve((_request, response) => {
    response.writeHead(503).write("x");
  });
  assert.equal(await failure(url), "GET URL: 503 Service Unavailable");
});

test("a body that is no pod name is an error that shows its beginning", async () => {
  let body = "";
  const { url } = await serve((_request, response) => response.end(body));
  for (const [text, shown] of [
    ["", ""],
    ["server-1\n", "server-1\\n"],
    ["a\nb", "a\\nb"],
    ["a b", "a b"],
    ["a".repeat(254), "a".repeat(80)],
  ] as const) {
    body = text;
    assert.equal(await failure(url), `GET URL: the answer is no pod name: "${shown}"`);
  }
});

test("a body that does not end is cut off", async () => {
  const { url } = await serve((_request, response) => {
    const more = () => response.write("x".repeat(1_000), (error) => error ?? more());
    more();
  });
  assert.equal(await failure(url), "GET URL: the answer is longer than 4096 bytes");
});

test("a server that accepts and never answers is given up on in time", async () => {
  const { url } = await listen(createTcpServer((socket) => socket.on("error", () => {}).resume()));
  assert.equal(await failure(url, 60), "GET URL: no answer within 60ms");
});

test("a server that stalls after its headers, or within its body, is given up on in time", async () => {
  for (const begun of ["", "serv"]) {
    const { url } = await serve((_request, response) => {
      response.writeHead(200).flushHeaders();
      if (begun) response.write(begun);
    });
    assert.equal(await failure(url, 60), "GET URL: no answer within 60ms");
  }
});

test("a server that hangs up before or within its answer is an error, not a name cut short", async () => {
  const { url } = await serve((request, response) => {
    if (request.url === "/now") return void request.socket.destroy();
    response.writeHead(200, { "content-length": "8" });
    response.write("serv", () => request.socket.destroy());
  });
  assert.equal(await failure(new URL("/now", url)), "GET URL: socket hang up");
  assert.equal(await failure(new URL("/half", url)), "GET URL: aborted");
});

test("a refused connection is an error that names the address", async () => {
  const { url } = await serve(() => {});
  servers.pop()?.close();
  assert.equal(await failure(url), `GET URL: connect ECONNREFUSED 127.0.0.1:${url.port}`);
});

test("a host of which every address refuses gives every reason", async () => {
  const { url } = await serve(() => {});
  servers.pop()?.close();
  url.hostname = "localhost";
  const addresses = await lookup("localhost", { all: true });
  const reasons = addresses.map(({ address }) => `connect ECONNREFUSED ${address}:${url.port}`);
  assert.equal(await failure(url), `GET URL: ${reasons.join("; ")}`);
});
