import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { after, type TestContext, test } from "node:test";
import {
  assertNothingLeft,
  closedPort,
  FakeProxy,
  ManualClock,
  makeCertificates,
  turn,
  until,
} from "../../testing/index.ts";
import { HttpClient } from "./http-client.ts";
import { RequestGuard } from "./request-guard.ts";

after(assertNothingLeft);

const certificates = makeCertificates();
after(() => certificates?.remove());
const skip = certificates ? false : "openssl is not installed";

async function startServer(t: TestContext) {
  const { certFile, keyFile } = certificates?.server ?? { certFile: "", keyFile: "" };
  const server = createServer({ cert: readFileSync(certFile), key: readFileSync(keyFile) }, (request, response) => {
    response.end(`${request.url} ${request.headers["proxy-authorization"]}`);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return (server.address() as AddressInfo).port;
}

async function get(port: number, proxy: URL, { isSecure = true, signal = new AbortController().signal } = {}) {
  const client = new HttpClient({ isSecure, proxy });
  const guard = new RequestGuard(signal, new ManualClock());
  const ca = isSecure ? readFileSync(certificates?.caFile ?? "") : undefined;
  try {
    const request = { host: "127.0.0.1", port, path: "/x?y", tls: { ca } };
    return await client.exchange(request, guard, async (answer) => `${answer.status} ${await answer.text()}`);
  } finally {
    guard.release();
    client.close();
  }
}

async function startProxy(t: TestContext) {
  const proxy = await FakeProxy.start();
  t.after(() => proxy.close());
  return proxy;
}
const basic = "Basic dXNAZXI6cGEgc3M=";

test("TLS goes through a tunnel: the proxy gets its credentials, and the server does not", { skip }, async (t) => {
  const [proxy, port] = [await startProxy(t), await startServer(t)];
  assert.equal(await get(port, proxy.url), "200 /x?y undefined");
  assert.equal(await get(port, proxy.url), "200 /x?y undefined");
  assert.deepEqual(proxy.requests, [`CONNECT 127.0.0.1:${port} ${basic}`, `CONNECT 127.0.0.1:${port} ${basic}`]);
  await until(() => proxy.connections === 0, "the tunnels are closed");
});

test("the certificate of the server behind the tunnel is checked", { skip }, async (t) => {
  const [proxy, port] = [await startProxy(t), await startServer(t)];
  const client = new HttpClient({ isSecure: true, proxy: proxy.url });
  const guard = new RequestGuard(new AbortController().signal, new ManualClock());
  const exchange = client.exchange({ host: "127.0.0.1", port, path: "/" }, guard, async () => "accepted");
  await assert.rejects(exchange, /self-signed|unable to/);
  guard.release();
  await until(() => proxy.connections === 0, "the tunnel is closed");
});

test("plain HTTP is forwarded by the proxy", async (t) => {
  const proxy = await startProxy(t);
  assert.equal(await get(8080, proxy.url, { isSecure: false }), "200 from the proxy");
  assert.deepEqual(proxy.requests, [`GET http://127.0.0.1:8080/x?y ${basic}`]);
});

for (const [mode, reason] of [
  ["refuse", "CONNECT 127.0.0.1:1: 407 Proxy Authentication Required"],
  ["close", "socket hang up"],
] as const) {
  test(`the error names the proxy, without its password: ${reason}`, { skip }, async (t) => {
    const proxy = await startProxy(t);
    proxy.mode = mode;
    const message = `proxy ${proxy.url.host}: ${reason}`;
    await assert.rejects(get(1, proxy.url), { name: "HttpError", message });
  });
}

for (const isSecure of [true, false]) {
  test(`the error names a proxy that is not there: ${isSecure ? "TLS" : "plain HTTP"}`, { skip }, async () => {
    const proxy = new URL(`http://user:secret@127.0.0.1:${await closedPort()}`);
    const message = `proxy ${proxy.host}: connect ECONNREFUSED ${proxy.host}`;
    await assert.rejects(get(1, proxy, { isSecure }), { name: "HttpError", message });
  });
}

const informational = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n";

test("informational responses before the answer to CONNECT are skipped", { skip }, async (t) => {
  const [proxy, port] = [await startProxy(t), await startServer(t)];
  for (const before of ["HTTP/1.1 100 Continue\r\n\r\n", informational.repeat(10)]) {
    proxy.before = before;
    assert.equal(await get(port, proxy.url), "200 /x?y undefined");
  }
  proxy.mode = "refuse";
  const message = `proxy ${proxy.url.host}: CONNECT 127.0.0.1:${port}: 407 Proxy Authentication Required`;
  await assert.rejects(get(port, proxy.url), { name: "HttpError", message });
  await until(() => proxy.connections === 0, "the tunnels are closed");
});

for (const [what, before, reason] of [
  ["endless informational responses", informational.repeat(11), "more than 20 informational responses"],
  ["an endless head", `${informational}x: ${"y".repeat(20_000)}`, "the head of a response is longer than 16384 bytes"],
  ["something else than HTTP", `${informational}SSH-2.0-OpenSSH\r\n\r\n`, "the answer is not HTTP/1"],
  [
    "an upgrade",
    `${informational}HTTP/1.1 101 Switching Protocols\r\n\r\n`,
    "CONNECT 127.0.0.1:1: 101 Switching Protocols",
  ],
  ["a response that is cut off", `${informational}HTTP/1.1 2`, "socket hang up"],
] as const) {
  test(`CONNECT answered with ${what} is an error`, { skip }, async (t) => {
    const proxy = await startProxy(t);
    proxy.mode = reason === "socket hang up" ? "end" : "hang";
    proxy.before = before;
    await assert.rejects(get(1, proxy.url), { name: "HttpError", message: `proxy ${proxy.url.host}: ${reason}` });
    await until(() => proxy.connections === 0, "the connection is closed");
  });
}

test("an abort ends a CONNECT that gets informational responses alone", { skip }, async (t) => {
  const proxy = await startProxy(t);
  proxy.mode = "hang";
  proxy.before = informational;
  const owner = new AbortController();
  const failed = assert.rejects(get(1, proxy.url, { signal: owner.signal }), /aborted/);
  await until(() => proxy.requests.length === 1, "the proxy has the request");
  for (let n = 0; n < 50; n++) await turn();
  owner.abort();
  await failed;
  await until(() => proxy.connections === 0, "the connection is closed");
});

test("an abort ends a request whose proxy never answers, and closes the connection", { skip }, async (t) => {
  const proxy = await startProxy(t);
  proxy.mode = "hang";
  const owner = new AbortController();
  const failed = assert.rejects(get(1, proxy.url, { signal: owner.signal }), /aborted/);
  await until(() => proxy.requests.length === 1, "the proxy has the request");
  owner.abort();
  await failed;
  await until(() => proxy.connections === 0, "the connection is closed");
});
