import assert from "node:assert/strict";
import { lookup } from "node:dns/promises";
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from "node:net";
import { networkInterfaces } from "node:os";
import { afterEach, test } from "node:test";
import { assertNothingLeft } from "@grpc-lb/core/testing";
import { onlySend } from "@grpc-lb/operations/telemetry";
import { callOverFreshConnections } from "./fresh-connection.ts";

const timeoutMs = 10_000;
const identity = { tls: undefined, serverName: "", token: undefined };
const getPod = (url: URL, ms: number) => callOverFreshConnections(url, ms, { observe: onlySend, identity }).call();
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

async function failure(url: URL, ms = timeoutMs): Promise<string> {
  const pod = getPod(url, ms);
  const error: unknown = await pod.then(
    (name) => assert.fail(`want an error, got the pod "${name}"`),
    (reason) => reason,
  );
  assert.ok(error instanceof Error, `want an Error, got ${error}`);
  return error.message.replace(`${url.origin}${url.pathname}`, "URL");
}

// The servers cut no connection, so one that the client left open is found.
afterEach(async () => {
  for (const server of servers.splice(0)) server.close();
  await assertNothingLeft();
});

test("each call opens a connection and closes it", async () => {
  const { url, sockets } = await serve((_request, response) => response.end("server-1"));
  for (let n = 1; n <= 3; n++) {
    assert.equal(await getPod(url, timeoutMs), "server-1");
    assert.equal(sockets.length, n, "connections that the server saw");
  }
  await Promise.all(sockets.map((socket) => socket.destroyed || once(socket, "close")));
});

test("the request is a GET of the URL, with connection: close", async () => {
  const seen: unknown[] = [];
  const { url } = await serve(({ method, url, headers }, response) => {
    seen.push(method, url, headers.connection);
    response.end("a");
  });
  await getPod(new URL("/other?x=1", url), timeoutMs);
  assert.deepEqual(seen, ["GET", "/other?x=1", "close"]);
});

test("a pod is reached over IPv6", { skip: !hasIpv6 && "no IPv6 here" }, async () => {
  const { url } = await serve((_request, response) => response.end("six"), "::1");
  assert.equal(await getPod(url, timeoutMs), "six");
});

test("a body in pieces is one name; a name may have 253 characters", async () => {
  const name = "a".repeat(253);
  const { url } = await serve((_request, response) => {
    response.write(name.slice(0, 100), () => response.end(name.slice(100)));
  });
  assert.equal(await getPod(url, timeoutMs), name);
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

test("a refused token is an error with the reason in the header, in one line of at most 200 characters", async () => {
  let challenge = "";
  const { url } = await serve((_request, response) => {
    response.writeHead(401, { "www-authenticate": challenge }).end("a page");
  });
  for (const [header, shown] of [
    ['Bearer error="invalid_token", error_description="the token has expired"', ": the token has expired"],
    ['Bearer error_description="the call needs a token"', ": the call needs a token"],
    ["Bearer", ""],
    ['Basic realm="x"', ""],
    ['Bearer error_description="', ""],
    [`Bearer error_description="a\tb${"c".repeat(300)}"`, `: a\\x09b${"c".repeat(196)}…`],
  ] as const) {
    challenge = header;
    assert.equal(await failure(url), `GET URL: 401 Unauthorized${shown}`);
  }
});

test("an error page that never ends does not delay the error", async () => {
  const { url } = await serve((_request, response) => {
    response.writeHead(503).write("x");
  });
  assert.equal(await failure(url), "GET URL: 503 Service Unavailable");
});

test("a body that is not a pod name is an error that shows its beginning, without control characters", async () => {
  let body = "";
  const { url } = await serve((_request, response) => response.end(body));
  for (const [text, shown] of [
    ["", ""],
    ["server-1\n", "server-1 "],
    ["\u001b[2Ja", "\\x1b[2Ja"],
    ["a b", "a b"],
    ["a".repeat(254), `${"a".repeat(79)}…`],
  ] as const) {
    body = text;
    assert.equal(await failure(url), `GET URL: the answer is not a pod name: "${shown}"`);
  }
});

test("a body that does not end is an error at 4096 characters", async () => {
  const { url } = await serve((_request, response) => {
    const more = () => response.write("x".repeat(1_000), (error) => error ?? more());
    more();
  });
  assert.equal(await failure(url), "GET URL: the answer is longer than 4096 characters");
});

test("a server that accepts and never answers is an error at the timeout", async () => {
  const { url } = await listen(createTcpServer((socket) => socket.on("error", () => {}).resume()));
  assert.equal(await failure(url, 60), "GET URL: no answer within 60ms");
});

test("a server that stalls after its headers, or within its body, is an error at the timeout", async () => {
  for (const begun of ["", "serv"]) {
    const { url } = await serve((_request, response) => {
      response.writeHead(200).flushHeaders();
      if (begun) response.write(begun);
    });
    assert.equal(await failure(url, 60), "GET URL: no answer within 60ms");
  }
});

test("a connection that ends before or within the answer is an error, not a shorter name", async () => {
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

test("when every address of a host refuses, the error has every reason", async () => {
  const { url } = await serve(() => {});
  servers.pop()?.close();
  url.hostname = "localhost";
  const addresses = await lookup("localhost", { all: true });
  const reasons = addresses.map(({ address }) => `connect ECONNREFUSED ${address}:${url.port}`);
  assert.equal(await failure(url), `GET URL: ${reasons.join("; ")}`);
});

test("101 Switching Protocols is an error at once: no upgrade was requested", async () => {
  const { url } = await listen(
    createTcpServer((socket) => {
      socket.on("error", () => {}).resume();
      socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n");
    }),
  );
  assert.equal(await failure(url), "GET URL: 101 Switching Protocols: no upgrade was requested");
});

test("an answer that drips is an error at the timeout, in its headers and in its body", async () => {
  for (const head of ["", "HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n"]) {
    const { url } = await listen(
      createTcpServer((socket) => {
        socket.write(head);
        const text = "HTTP/1.1 200 OK\r\nX-Header: ";
        let sent = 0;
        const timer = setInterval(() => socket.write(text[sent++] ?? "x"), 5);
        socket.on("error", () => {}).on("close", () => clearInterval(timer));
        socket.resume();
      }),
    );
    assert.equal(await failure(url, 100), "GET URL: no answer within 100ms");
  }
});
