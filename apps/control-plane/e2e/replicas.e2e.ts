/**
 * Two control planes behind one address, of which each ends once, as our own client and those that nobody here wrote see it:
 * `node --test apps/control-plane/e2e/replicas.e2e.ts`. A client that cannot be had is skipped with the reason.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { after, test } from "node:test";
import { assertNothingLeft, closedPort } from "@grpc-lb/core/testing";
import { Calls, foreignClients, startPod, untilCalled } from "@grpc-lb/xds/testing/foreign";
import { ControlPlaneProcess } from "./control-plane-process.ts";
import { ownClient } from "./own-client.ts";
import { backoffMs } from "./story.ts";

after(assertNothingLeft);

for (const kind of [...(await foreignClients()), ownClient]) {
  const options = { skip: kind.missing ?? false, timeout: 600_000 };
  test(`${kind.name}: no call fails when a replica ends, and the client follows the other`, options, async (t) => {
    await using ending = new AsyncDisposableStack();
    const [a, b] = await Promise.all([startPod("a"), startPod("b")]);
    for (const pod of [a, b]) ending.defer(() => pod.close());
    const replicas = await Promise.all([ControlPlaneProcess.create(), ControlPlaneProcess.create()]);
    for (const replica of replicas) ending.use(replica);
    const listenerPort = await closedPort();
    const list = (port: number) =>
      Promise.all(replicas.map((replica) => replica.setEndpoints("pods", [{ address: `127.0.0.1:${port}` }])));
    await list(a.port);
    for (const replica of replicas) {
      await replica.setServices({ server: { target: replica.target("pods"), envoyPort: listenerPort } });
      await replica.start();
    }
    const service = await openService(replicas.map(({ port }) => port));
    ending.defer(() => service.close());
    const client = await kind.start({ service: "server", controlPlanePort: service.port, listenerPort });
    ending.defer(() => client.close());
    await untilCalled(client);
    const calls = new Calls(client, { ownFault: kind.ownFault });
    ending.defer(() => calls.stop());
    await calls.settlesOn(["a"]);

    const [first, second] = replicas;
    assert.deepEqual(service.used, [first.port]);
    await first.stop();
    await list(b.port);
    await calls.settlesOn(["b"], backoffMs);
    await first.start();
    await second.kill();
    await list(a.port);
    const sinceMs = performance.now();
    await calls.settlesOn(["a"], backoffMs);
    t.diagnostic(`${calls.count} calls; the new pod has calls ${calls.firstMs("a", sinceMs)} ms after the kill`);
    assert.deepEqual(service.used, [first.port, second.port, first.port]);
    calls.assertNoneFailed();
  });
}

/** One address for several ports: each connection goes to the first that can be connected to. */
async function openService(ports: readonly number[]) {
  const used: number[] = [];
  const open = new Set<Socket>();
  const hold = (socket: Socket) => {
    open.add(socket);
    socket.on("error", () => {}); // its close ends the other side
    socket.once("close", () => open.delete(socket));
  };
  const forward = (socket: Socket, [port, ...others]: readonly number[]): void => {
    if (port === undefined) return void socket.destroy();
    const replica = connect(port, "127.0.0.1");
    hold(replica);
    replica.once("connect", () => {
      if (used.at(-1) !== port) used.push(port);
      replica.once("close", () => socket.destroy());
      socket.once("close", () => replica.destroy());
      socket.pipe(replica).pipe(socket);
    });
    const next = () => forward(socket, others);
    replica.once("error", next).once("connect", () => replica.off("error", next));
  };
  const server = createServer((socket) => {
    hold(socket);
    forward(socket, ports);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    /** The ports that connections went to, each as long as it is the same. */
    used,
    async close() {
      for (const socket of open) socket.destroy();
      await server[Symbol.asyncDispose]();
    },
  };
}
