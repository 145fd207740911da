/**
 * What channels cost a client: connections and heap, for many channels of one target to three servers, in processes of their own.
 * Channels share connections unless `grpc.use_local_subchannel_pool` is set.
 */
import { subscribe } from "node:diagnostics_channel";
import type { Socket } from "node:net";
import { fileURLToPath } from "node:url";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { type ChannelOptions, credentials, Metadata } from "@grpc/grpc-js";
import { until } from "@grpc-lb/core/testing";
import { startProgram } from "@grpc-lb/program/testing";
import { PodServiceClient } from "@grpc-lb/protos/pod/v1";
import { registerResolvers } from "@grpc-lb/resolver";
import { type Row, report } from "./table.ts";

setFlagsFromString("--expose-gc");
const collectGarbage: () => void = runInNewContext("gc");
const shared = credentials.createInsecure();

let openConnections = 0;
subscribe("net.client.socket", (message) => {
  const { socket } = message as { readonly socket: Socket };
  openConnections += 1;
  socket.once("close", () => {
    openConnections -= 1;
  });
});

function heapBytes(): number {
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** Calls each server once through each channel, so that all of its connections are open. */
async function openChannels(target: string, count: number, options: ChannelOptions): Promise<PodServiceClient[]> {
  const clients = Array.from({ length: count }, () => new PodServiceClient(target, shared, options));
  for (const client of clients) for (let n = 0; n < 3; n++) await getPod(client);
  return clients;
}

const getPod = (client: PodServiceClient) =>
  new Promise<void>((resolve, reject) => {
    client.getPod({}, new Metadata(), { deadline: Date.now() + 10_000 }, (error) =>
      error ? reject(error) : resolve(),
    );
  });

async function measure(target: string, count: number, options: ChannelOptions) {
  const heapBefore = heapBytes();
  const clients = await openChannels(target, count, options);
  const connections = openConnections;
  const heapKiB = (heapBytes() - heapBefore) / count / 1024;
  for (const client of clients) client.close();
  await until(() => openConnections === 0, "the connections are closed");
  return { connections, heapKiB };
}

registerResolvers();
const main = fileURLToPath(new URL("../../../apps/server/src/main.ts", import.meta.url));
const flags = "--http-port 0 --grpc-port 0 --bind-address 127.0.0.1 --log-level info --drain-delay 0s".split(" ");
const servers = [0, 1, 2].map(() => startProgram(main, flags));
const ports = await Promise.all(
  servers.map(async ({ line }) => JSON.parse(await line((text) => text.includes('"serving"'))).grpcPort as number),
);
const target = `static:///${ports.map((port) => `127.0.0.1:${port}`).join(",")}`;
try {
  await measure(target, 10, {}); // loads and compiles
  const together = await measure(target, 200, {});
  const apart = await measure(target, 200, { "grpc.use_local_subchannel_pool": 1 });
  const connections = (name: string, value: number, bound: number): Row => {
    return { name, value, unit: " connections", bound, sense: "=", detail: "to 3 servers; 0 after close" };
  };
  const heap = (name: string, value: number, bound: number): Row => {
    return { name, value, unit: " KiB", bound, sense: "<=", detail: "per channel, 200 channels" };
  };
  report([
    connections("200 channels", together.connections, 3),
    heap("heap of a channel that shares its connections", together.heapKiB, 50),
    connections("200 channels with use_local_subchannel_pool", apart.connections, 600),
    heap("heap of a channel with three connections of its own", apart.heapKiB, 100),
  ]);
} finally {
  for (const { kill } of servers) kill("SIGKILL");
  await Promise.all(servers.map(({ exited }) => exited));
}
