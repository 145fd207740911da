/**
 * Unary calls a second with 64 in flight against three servers: the resolver against grpc-js's own static list, both with
 * round_robin, and against pick_first to one server. Short slices are interleaved; a figure is the median of the rounds' ratios.
 */
import { fileURLToPath } from "node:url";
import { credentials } from "@grpc/grpc-js";
import { FakeApiServer, slice } from "@grpc-lb/discovery/testing";
import { startProgram } from "@grpc-lb/program/testing";
import { PodServiceClient } from "@grpc-lb/protos/pod/v1";
import { registerResolvers } from "@grpc-lb/resolver";
import { median, report } from "./table.ts";

const inFlight = 64;
const rounds = 40;
const sliceMs = 250;

const main = fileURLToPath(new URL("../../../apps/server/src/main.ts", import.meta.url));
const flags = "--http-port 0 --grpc-port 0 --bind-address 127.0.0.1 --log-level info --drain-delay 0s".split(" ");
const servers = [0, 1, 2].map(() => startProgram(main, flags));
const ports = await Promise.all(
  servers.map(async ({ line }) => JSON.parse(await line((text) => text.includes('"serving"'))).grpcPort as number),
);

const api = await FakeApiServer.start();
api.putSlice(
  ...ports.map((port, n) =>
    slice({
      service: "server",
      name: `server-${n}`,
      addresses: [{ address: "127.0.0.1", pod: `server-${n}` }],
      ports: [{ name: "grpc", port, protocol: "TCP" }],
    }),
  ),
);
registerResolvers({ kubernetes: { access: api.access } });

const roundRobin = { "grpc.service_config": JSON.stringify({ loadBalancingConfig: [{ round_robin: {} }] }) };
const open = (target: string, options = {}) =>
  new PodServiceClient(target, credentials.createInsecure(), { "grpc.use_local_subchannel_pool": 1, ...options });
const clients = {
  resolver: open("kubernetes:///server.default:grpc"),
  list: open(`ipv4:${ports.map((port) => `127.0.0.1:${port}`).join(",")}`, roundRobin),
  one: open(`ipv4:127.0.0.1:${ports[0]}`),
};
type Name = keyof typeof clients;

/** Calls a second in one round. */
async function measure(name: Name, ms: number): Promise<number> {
  const client = clients[name];
  const began = performance.now();
  let calls = 0;
  const worker = async () => {
    while (performance.now() - began < ms) {
      await new Promise<void>((resolve, reject) => client.getPod({}, (error) => (error ? reject(error) : resolve())));
      calls += 1;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, worker));
  return (calls * 1_000) / (performance.now() - began);
}

const names = Object.keys(clients) as Name[];
for (const name of names) await measure(name, 2_000); // the compiler warms up
const rates: Record<Name, number[]> = { resolver: [], list: [], one: [] };
for (let round = 0; round < rounds; round++) {
  // A B C C B A: what drifts within a round, be it the machine or the heap, hits all alike.
  const sums = { resolver: 0, list: 0, one: 0 };
  for (const name of [...names, ...names.toReversed()]) sums[name] += await measure(name, sliceMs);
  for (const name of names) rates[name].push(sums[name] / 2);
  names.push(names.shift() as Name); // another one begins each time
}

for (const client of Object.values(clients)) client.close();
for (const { kill } of servers) kill("SIGKILL");
await Promise.all(servers.map(({ exited }) => exited));
await api.close();

const ratio = (a: Name, b: Name) => median(rates[a].map((rate, n) => rate / (rates[b][n] ?? 1)));
const rate = (name: Name) => `${name} ${Math.round(median(rates[name]))}/s`;
report([
  {
    name: "resolver ÷ static list, both round_robin over 3 servers",
    value: ratio("resolver", "list"),
    unit: "",
    bound: 0.99,
    sense: ">=",
    detail: `${rate("resolver")}, ${rate("list")}`,
  },
  {
    name: "resolver over 3 servers ÷ pick_first to one",
    value: ratio("resolver", "one"),
    unit: "",
    bound: 0.9,
    sense: ">=",
    detail: `${rate("resolver")}, ${rate("one")}`,
  },
]);
