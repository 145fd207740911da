import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { afterEach, describe, it } from "node:test";
import { createRandom } from "@grpc-lb/core";
import { assertNothingLeft } from "@grpc-lb/core/testing";
import { type ConnectionProxy, startConnectionProxy } from "./connection-proxy.ts";

const servers: Server[] = [];
const sockets = new Set<Socket>();
let proxy: ConnectionProxy | undefined;

/** Registers a socket for the teardown. Its errors are ignored, because some tests cut connections on purpose. */
function keep(socket: Socket): Socket {
  sockets.add(socket);
  return socket.on("error", () => {});
}

async function startBackend(serve: (socket: Socket) => void) {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    keep(socket);
    serve(socket);
  });
  servers.push(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { host: "127.0.0.1", port: (server.address() as AddressInfo).port };
}

async function startProxy(options: Parameters<typeof startConnectionProxy>[0]) {
  proxy = await startConnectionProxy(options);
  return proxy.port;
}

const dial = (port: number) => keep(connect({ host: "127.0.0.1", port, allowHalfOpen: true }));

async function failureOf(socket: Socket): Promise<string | undefined> {
  socket.resume();
  const [error] = await once(socket, "error");
  return (error as NodeJS.ErrnoException).code;
}

describe("a ConnectionProxy", () => {
  afterEach(async () => {
    await proxy?.close();
    proxy = undefined;
    for (const socket of sockets) socket.destroy();
    sockets.clear();
    await Promise.all(
      servers.splice(0).map(async (server) => {
        server.close();
        await once(server, "close");
      }),
    );
    await assertNothingLeft();
  });

  it("sends later connections to changed backends, keeps those that are open, and resets them without a backend", async () => {
    const echo = (name: string) => (socket: Socket) => socket.on("data", () => socket.write(name));
    const [a, b] = [await startBackend(echo("a")), await startBackend(echo("b"))];
    const port = await startProxy({ backends: [a], random: () => 0 });
    const ask = async (socket: Socket) => {
      socket.write("?");
      const [answer] = await once(socket, "data");
      return String(answer);
    };
    const open = dial(port);
    assert.equal(await ask(open), "a");
    proxy?.setBackends([b]);
    assert.deepEqual([await ask(dial(port)), await ask(open)], ["b", "a"]);
    proxy?.setBackends([]);
    assert.equal(await failureOf(dial(port)), "ECONNRESET");
  });

  it("sends the n-th connection to the n-th pick of its random source", async () => {
    const names = ["a", "b", "c"];
    const backends = await Promise.all(names.map((name) => startBackend((socket) => socket.end(name))));
    const port = await startProxy({ backends, random: createRandom(7) });
    const got: string[] = [];
    for (let n = 0; n < 30; n++) {
      const socket = dial(port);
      got.push(await text(socket));
      socket.end();
      await once(socket, "close");
    }
    const random = createRandom(7);
    const want = got.map(() => names[Math.floor(random() * 3)]);
    assert.deepEqual(got, want);
    assert.deepEqual([...new Set(got)].sort(), names);
  });

  it("keeps a connection on its backend, whatever is sent on it", async () => {
    const backends = await Promise.all(
      ["a", "b"].map((name) => startBackend((socket) => socket.on("data", () => socket.write(name)))),
    );
    const socket = dial(await startProxy({ backends, random: createRandom(1) }));
    const answers = new Set<string>();
    for (let n = 0; n < 20; n++) {
      socket.write("?");
      const [chunk] = await once(socket, "data");
      answers.add(String(chunk));
    }
    assert.equal(answers.size, 1);
  });

  it("forwards the end of one direction and leaves the other open", async () => {
    const backend = await startBackend(async (socket) => socket.end(`got ${await text(socket)}`));
    const socket = dial(await startProxy({ backends: [backend], random: createRandom(1) }));
    socket.end("all of it");
    assert.equal(await text(socket), "got all of it");
  });

  it("forwards what the client sends after the backend has ended its side", async () => {
    const received = Promise.withResolvers<string>();
    const backend = await startBackend((socket) => {
      socket.end("bye");
      text(socket).then(received.resolve, received.reject);
    });
    const socket = dial(await startProxy({ backends: [backend], random: createRandom(1) }));
    assert.equal(await text(socket), "bye");
    socket.end("one more thing");
    assert.equal(await received.promise, "one more thing");
  });

  it("resets the client when the chosen backend refuses, and tries no other", async () => {
    let connections = 0;
    const alive = await startBackend(() => {
      connections += 1;
    });
    const dead = await startBackend(() => {});
    servers.pop()?.close();
    const port = await startProxy({ backends: [dead, alive], random: () => 0 });
    assert.equal(await failureOf(dial(port)), "ECONNRESET");
    assert.equal(connections, 0);
  });

  it("resets the client when the backend resets", async () => {
    const backend = await startBackend((socket) => socket.once("data", () => socket.resetAndDestroy()));
    const socket = dial(await startProxy({ backends: [backend], random: createRandom(1) }));
    socket.write("?");
    assert.equal(await failureOf(socket), "ECONNRESET");
  });

  it("resets the backend when the client resets", async () => {
    const failed = Promise.withResolvers<string | undefined>();
    const backend = await startBackend((socket) => {
      socket.write("hello");
      failureOf(socket).then(failed.resolve, failed.reject);
    });
    const socket = dial(await startProxy({ backends: [backend], random: createRandom(1) }));
    await once(socket, "data");
    socket.resetAndDestroy();
    assert.equal(await failed.promise, "ECONNRESET");
  });

  it("destroys open connections when it closes", async () => {
    const backend = await startBackend((socket) => socket.write("hello"));
    const socket = dial(await startProxy({ backends: [backend], random: createRandom(1) }));
    await once(socket, "data");
    await proxy?.close();
    proxy = undefined;
    await Promise.all([...sockets].map((side) => once(side.resume(), "end")));
  });

  it("rejects an empty list of backends", async () => {
    await assert.rejects(startConnectionProxy({ backends: [], random: createRandom(1) }), /backends must not be empty/);
  });
});
