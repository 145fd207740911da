import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { afterEach, test } from "node:test";
import { Server, ServerCredentials, status } from "@grpc/grpc-js";
import { assertNothingLeft } from "@grpc-lb/core/testing";
import type { Caller } from "@grpc-lb/program";
import { type PodServiceServer, PodServiceService } from "@grpc-lb/protos/pod/v1";
import { openPodCaller } from "./get-pod.ts";
import { parseServiceConfig } from "./service-config.ts";

const servers: Server[] = [];
const callers: Caller[] = [];

/** Serves GetPod on a free port, or on `port`, and notes the client's address of each call: one address, one connection. */
async function serve(getPod: PodServiceServer["getPod"], port = 0) {
  const server = new Server();
  const peers: string[] = [];
  server.addService(PodServiceService, {
    getPod(call, respond) {
      peers.push(call.getPeer());
      getPod(call, respond);
    },
  } satisfies PodServiceServer);
  const bound = await new Promise<number>((resolve, reject) => {
    const done = (error: Error | null, port: number) => (error ? reject(error) : resolve(port));
    server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), done);
  });
  servers.push(server);
  return { server, peers, port: bound };
}

const answer =
  (name: string): PodServiceServer["getPod"] =>
  (_call, respond) =>
    respond(null, { pod: { name, namespace: "", node: "", zone: "", ip: "", version: "" } });

function open(target: string, timeoutMs = 10_000, serviceConfig?: Record<string, unknown>): Caller {
  const caller = openPodCaller({ target, timeoutMs, serviceConfig });
  callers.push(caller);
  return caller;
}

/** A peer that accepts connections and never says anything on them. */
async function listenMute() {
  const sockets: Socket[] = [];
  const mute = createServer((socket) => sockets.push(socket.on("error", () => {}).resume())).listen(0, "127.0.0.1");
  await once(mute, "listening");
  const close = () => {
    for (const socket of sockets) socket.destroy();
    mute.close();
  };
  return { port: (mute.address() as AddressInfo).port, sockets, close };
}

async function failure(call: Promise<string>): Promise<string> {
  const error: unknown = await call.then(
    (name) => assert.fail(`want an error, got the pod "${name}"`),
    (reason) => reason,
  );
  assert.ok(error instanceof Error, `want an Error, got ${error}`);
  return error.message;
}

afterEach(async () => {
  for (const caller of callers.splice(0)) caller.close();
  for (const server of servers.splice(0)) server.forceShutdown();
  await assertNothingLeft();
});

test("many calls share one connection", async () => {
  const { port, peers } = await serve(answer("server-1"));
  const caller = open(`127.0.0.1:${port}`);
  for (let n = 0; n < 20; n++) assert.equal(await caller.call(), "server-1");
  assert.deepEqual([peers.length, new Set(peers).size], [20, 1], `calls and connections of ${[...new Set(peers)]}`);
});

test("nothing is connected before the first call", async () => {
  const { port, sockets, close } = await listenMute();
  open(`127.0.0.1:${port}`);
  const probe = connect(port, "127.0.0.1"); // connections are accepted in order: the channel's would be the first
  await once(probe, "connect");
  while (sockets.length === 0) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(
    sockets.map((socket) => socket.remotePort),
    [probe.localPort],
  );
  probe.destroy();
  close();
});

test("close ends the connection, and the server has nothing left to wait for", async () => {
  const { port, server } = await serve(answer("a"));
  const caller = open(`127.0.0.1:${port}`);
  await caller.call();
  caller.close();
  await assert.rejects(assertNothingLeft(), /TCPServerWrap/, "the server still listens");
  const left = process.getActiveResourcesInfo().filter((kind) => kind === "TCPSocketWrap");
  assert.deepEqual(left, [], "sockets after close");
  await new Promise<void>((resolve, reject) => server.tryShutdown((error) => (error ? reject(error) : resolve())));
});

test("a server that takes the call and never answers fails it at the deadline, and the channel goes on", async () => {
  let calls = 0;
  const { port, peers } = await serve((call, respond) => {
    calls += 1;
    if (calls > 1) answer("a")(call, respond);
  });
  const caller = open(`127.0.0.1:${port}`, 200);
  const message = await failure(caller.call());
  assert.match(message, new RegExp(`^GetPod 127\\.0\\.0\\.1:${port}: DEADLINE_EXCEEDED: Deadline exceeded`));
  assert.equal(await caller.call(), "a");
  assert.equal(new Set(peers).size, 1, "connections");
});

test("a peer that accepts and never speaks does not hold a call beyond its deadline", async () => {
  const { port, close } = await listenMute();
  const caller = open(`127.0.0.1:${port}`, 100);
  assert.match(await failure(caller.call()), new RegExp(`^GetPod 127\\.0\\.0\\.1:${port}: DEADLINE_EXCEEDED: `));
  // grpc-js has no connect timeout (grpc-node#2785), and its close leaves a connection that waits for settings to the peer.
  close();
});

test("a server that is not there is UNAVAILABLE, in words that name target and reason", async () => {
  const { port, server } = await serve(answer("a"));
  server.forceShutdown();
  const message = await failure(open(`ipv4:127.0.0.1:${port}`).call());
  assert.match(message, new RegExp(`^GetPod ipv4:127\\.0\\.0\\.1:${port}: UNAVAILABLE: .*ECONNREFUSED`));
  assert.doesNotMatch(message, /Resolution note:\s*$/);
});

test("a server that comes back is found again", async () => {
  const { port, server } = await serve(answer("first"));
  const caller = open(`127.0.0.1:${port}`);
  assert.equal(await caller.call(), "first");
  server.forceShutdown();
  await serve(answer("second"), port);
  let name = "";
  for (let n = 0; n < 100 && name !== "second"; n++) name = await caller.call().catch(() => "");
  assert.equal(name, "second");
});

test("a failed call keeps the server's status, as a name and as a cause", async () => {
  const { port } = await serve((_call, respond) => respond({ code: status.PERMISSION_DENIED, details: "not you" }));
  const error = await open(`127.0.0.1:${port}`)
    .call()
    .catch((reason) => reason);
  assert.equal(error.message, `GetPod 127.0.0.1:${port}: PERMISSION_DENIED: not you`);
  assert.equal(error.cause.code, status.PERMISSION_DENIED);
});

test("an answer that is no pod name is an error that shows its beginning", async () => {
  for (const [name, shown] of [
    [undefined, ""],
    ["", ""],
    ["a\nb", "a\\nb"],
    ["a b", "a b"],
    ["a".repeat(254), "a".repeat(80)],
  ] as const) {
    const { port } = await serve(
      name === undefined ? (_call, respond) => respond(null, { pod: undefined }) : answer(name),
    );
    const message = await failure(open(`127.0.0.1:${port}`).call());
    assert.equal(message, `GetPod 127.0.0.1:${port}: the answer is no pod name: "${shown}"`);
  }
});

test("without a service config one of two addresses has every call; round_robin gives both the same", async () => {
  const [a, b] = [await serve(answer("a")), await serve(answer("b"))];
  const target = `ipv4:127.0.0.1:${a.port},127.0.0.1:${b.port}`;
  const first = open(target);
  for (let n = 0; n < 10; n++) assert.equal(await first.call(), "a");

  const both = open(target, 10_000, { loadBalancingConfig: [{ round_robin: {} }] });
  const seen = new Set<string>();
  while (seen.size < 2) seen.add(await both.call());
  const counts = { a: 0, b: 0 };
  for (let n = 0; n < 20; n++) counts[(await both.call()) as "a" | "b"] += 1;
  assert.deepEqual(counts, { a: 10, b: 10 });
});

test("a method's timeout of a quarter of a second is that, and not 25 nanoseconds", async () => {
  const { port } = await serve(answer("a"));
  const config = parseServiceConfig('{"methodConfig":[{"name":[{"service":"pod.v1.PodService"}],"timeout":"0.25s"}]}');
  assert.equal(await open(`127.0.0.1:${port}`, 10_000, config).call(), "a");
});

test("a service config that grpc-js refuses throws at once", () => {
  const config = { methodConfig: [{ name: [{}], timeout: "soon" }] };
  assert.throws(() => open("127.0.0.1:1", 1_000, config), /invalid timeout/);
});
