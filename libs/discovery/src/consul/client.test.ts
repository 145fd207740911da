import assert from "node:assert/strict";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer, type RequestListener, type Server } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { type AddressInfo, createServer as createTcpServer, type Socket } from "node:net";
import { afterEach, test } from "node:test";
import { inspect } from "node:util";
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
    const request = { method: "GET", path: "/", what: "send", needs: "nothing", signal } as const;
    const limits = { silenceMs: 5_000, totalMs: 10_000 };
    // The client's sockets do not keep the process alive.
    const hold = setInterval(() => {}, 60_000);
    return client.request({ ...request, ...limits, ...rest }).finally(() => clearInterval(hold));
  };
}

const serve = async (listener: RequestListener) => connect(await listen(createServer(listener)));

test("an answer that is too long is an error", async () => {
  const send = await serve((_, response) => response.end("x".repeat(100_000)));
  assert.equal((await send({ maxLength: 100_000 })).text.length, 100_000);
  await assert.rejects(send({ maxLength: 99_999 }), /: the answer is longer than 99999 characters$/);
});

test("an answer that stops in the middle is an error", async () => {
  const send = await serve((_, response) => void response.write("["));
  await assert.rejects(
    send({ silenceMs: 50 }),
    /^DiscoveryError: consul: send: 127\.0\.0\.1:\d+: nothing heard for 0 s$/,
  );
});

for (const [what, answer] of [
  ["begins and drips", "HTTP/1.1 200 OK\r\n\r\n"],
  ["drips before it begins", "HTTP/1.1 200 OK\r\nx: "],
] as const) {
  test(`an answer that ${what} is an error when its time is over`, async () => {
    const server = createTcpServer((socket) => {
      sockets.add(socket.on("error", () => {}));
      socket.write(answer);
      const drip = setInterval(() => socket.write("H"), 10);
      socket.on("close", () => clearInterval(drip));
    });
    const sockets = new Set<Socket>();
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    ends.push(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    const send = connect((server.address() as AddressInfo).port);
    await assert.rejects(
      send({ silenceMs: 100, totalMs: 300 }),
      /: no whole answer within 0 s$|: nothing heard for 0 s$/,
    );
  });
}

test("a request that is aborted ends at once", async () => {
  const send = await serve(() => {});
  const owner = new AbortController();
  const sending = send({ signal: owner.signal });
  owner.abort(new Error("closed"));
  await assert.rejects(sending, /closed/);
});

test("a request on a kept connection that the agent has closed is sent again, a PUT too", async () => {
  const seen: string[] = [];
  const server = createServer((request, response) => {
    seen.push(request.method ?? "");
    // The first connection is dropped with its second request.
    if (seen.length === 2) request.socket.destroy();
    else response.end("{}");
  });
  const send = connect(await listen(server));
  await send();
  await send({ method: "PUT", body: { Status: "passing" } });
  assert.deepEqual(seen, ["GET", "PUT", "PUT"]);
});

test("TLS: the agent's certificate is verified, and the client's is sent", async (t) => {
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
  assert.equal((await connect(port, { tls: { ...unknown, verify: false } })()).text, "[]");
  await assert.rejects(
    connect(port, { tls: { ...tls, caFile: "/does/not/exist" } })(),
    /^DiscoveryError: consul: read the credentials: ENOENT/,
  );
});

const secret = 'a"b c/8b1247ef-3d1c-4f0e-9a52-1f2e3d4c5b6a';
for (const [what, spelling] of [
  ["as it is", secret],
  ["in upper case", secret.toUpperCase()],
  ["in JSON", JSON.stringify({ token: secret })],
  ["in a URL", `/v1?token=${encodeURIComponent(secret)}`],
  ["in base64", Buffer.from(secret).toString("base64")],
  ["in a long text", `${"x".repeat(480)}${secret}`],
  ["twice", `${secret} ${secret}`],
  ["in HTTP basic authentication", `Basic ${Buffer.from(`me:${secret}`).toString("base64")}`],
] as const) {
  test(`a secret that the agent repeats ${what} is not in the error`, async () => {
    let phrase = "";
    const server = createServer((_, response) => {
      // An HTTP phrase has no characters outside ASCII.
      response.writeHead(500, phrase).end(spelling);
    });
    const port = await listen(server);
    for (const credentials of [{ token: secret }, { basicAuth: `me:${secret}` }]) {
      for (phrase of ["no", spelling]) {
        await assert.rejects(connect(port, credentials)(), ({ message }: Error) => {
          assert.match(message, /^consul: send: 127\.0\.0\.1:\d+: 500 /);
          const ending = secret.slice(5).toLowerCase();
          for (const piece of [
            ending.slice(0, 10),
            ending.slice(-12),
            Buffer.from(secret).toString("base64").slice(0, 12),
          ]) {
            assert.ok(!message.toLowerCase().includes(piece.toLowerCase()), message);
          }
          return true;
        });
      }
    }
  });
}

test("a secret that the agent repeats is not in the cause of the error either", async () => {
  const server = createServer().on("connection", (socket) =>
    socket.once("data", () => {
      socket.end("HTTP/1.1 101 hunter2\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n");
    }),
  );
  const send = connect(await listen(server), { token: "hunter2" });
  await assert.rejects(send(), (error: Error) => {
    assert.match(error.message, /: 101 …: no upgrade was requested$/);
    assert.ok(!inspect(error, { depth: null }).includes("hunter2"), inspect(error));
    return true;
  });
});

test("what the agent sends cannot control a terminal", async () => {
  const send = await serve((_, response) => response.writeHead(500).end("\u001b[31mred\u202e\n\u0000"));
  await assert.rejects(send({ what: "read service \u001b[1m" }), ({ message }: Error) => {
    assert.match(
      message,
      /^consul: read service \ufffd\[1m: .*: 500 Internal Server Error: \ufffd\[31mred\ufffd \ufffd$/,
    );
    return true;
  });
});

test("basic authentication and the token are sent together", async () => {
  const server = createServer(({ headers }, response) =>
    response.end(`${headers.authorization} ${headers["x-consul-token"]}`),
  );
  const send = connect(await listen(server), { basicAuth: "me:pa:ss", token: "t" });
  assert.equal((await send()).text, "Basic bWU6cGE6c3M= t");
});
