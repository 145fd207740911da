import assert from "node:assert/strict";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer, type RequestListener, type Server } from "node:http";
import { createServer as createSecureServer } from "node:https";
import type { AddressInfo } from "node:net";
import { afterEach, test } from "node:test";
import { systemClock } from "@grpc-lb/core";
import { assertNothingLeft, makeCertificates } from "@grpc-lb/core/testing";
import type { ConsulCredentials } from "./access.ts";
import { ConsulClient, type ConsulRequest } from "./client.ts";

const ends: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
  await assertNothingLeft();
});

async function listen(server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  ends.push(async () => {
    const closed = once(server, "close");
    server.close();
    server.closeAllConnections();
    await closed;
  });
  return (server.address() as AddressInfo).port;
}

function connect(port: number, credentials: ConsulCredentials = {}) {
  const client = new ConsulClient({ agent: { host: "127.0.0.1", port }, credentials }, systemClock);
  ends.push(() => client.close());
  return (rest: Partial<ConsulRequest> = {}) => {
    const { signal } = new AbortController();
    const asked = { method: "GET", path: "/", what: "ask", needs: "nothing", silenceMs: 5_000, signal } as const;
    // The client's sockets keep no process alive; what waits for them here does.
    const hold = setInterval(() => {}, 60_000);
    return client.request({ ...asked, ...rest }).finally(() => clearInterval(hold));
  };
}

const serve = async (listener: RequestListener) => connect(await listen(createServer(listener)));

test("an answer that is longer than it may be is broken off", async () => {
  const ask = await serve((_, response) => response.end("x".repeat(100_000)));
  assert.equal((await ask({ maxLength: 100_000 })).text.length, 100_000);
  await assert.rejects(ask({ maxLength: 99_999 }), /: the answer is longer than 99999 characters$/);
});

test("an answer that stops in the middle is given up", async () => {
  const ask = await serve((_, response) => void response.write("["));
  await assert.rejects(
    ask({ silenceMs: 50 }),
    /^DiscoveryError: consul: ask: 127\.0\.0\.1:\d+: nothing heard for 0 s$/,
  );
});

test("what is aborted by its owner ends at once", async () => {
  const ask = await serve(() => {});
  const owner = new AbortController();
  const asking = ask({ signal: owner.signal });
  owner.abort(new Error("closed"));
  await assert.rejects(asking, /closed/);
});

test("a kept connection that the agent has closed meanwhile is no failure, nor for a PUT", async () => {
  const seen: string[] = [];
  const server = createServer((request, response) => {
    seen.push(request.method ?? "");
    // The first connection is dropped with its second request.
    if (seen.length === 2) request.socket.destroy();
    else response.end("{}");
  });
  const ask = connect(await listen(server));
  await ask();
  await ask({ method: "PUT", body: { Status: "passing" } });
  assert.deepEqual(seen, ["GET", "PUT", "PUT"]);
});

test("TLS: the agent's certificate is checked, and ours is shown", async (t) => {
  const certificates = makeCertificates("consul.test");
  if (!certificates) return t.skip("there is no openssl to make certificates with");
  const { caFile, server: pair, client, remove } = certificates;
  ends.push(remove);
  const [key, cert, ca] = await Promise.all([pair.keyFile, pair.certFile, caFile].map((file) => readFile(file)));
  const server = createSecureServer({ key, cert, ca, requestCert: true, rejectUnauthorized: true }, (_, response) => {
    response.end("[]");
  });
  const port = await listen(server);
  const tls = { caFile, ...client, serverName: "consul.test" };
  assert.equal((await connect(port, { tls })()).text, "[]");
  await assert.rejects(connect(port, { tls: { ...tls, serverName: "other.test" } })(), /does not match certificate/);
  const { caFile: _, ...unknown } = tls;
  await assert.rejects(
    connect(port, { tls: unknown })(),
    /self-signed certificate|unable to verify the first certificate/,
  );
  await assert.rejects(
    connect(port, { tls: { caFile, serverName: "consul.test" } })(),
    /certificate required|ECONNRESET|socket hang up/,
  );
  await assert.rejects(
    connect(port, { tls: { ...tls, caFile: "/does/not/exist" } })(),
    /^DiscoveryError: consul: read the credentials: ENOENT/,
  );
});
