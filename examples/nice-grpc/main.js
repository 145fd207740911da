// A client and servers of nice-grpc; the channel's target and service config are those of grpc-js.
import { join } from "node:path";
import { loadPackageDefinition } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { createServiceConfig, registerPolicies } from "@grpc-lb/policies";
import { registerResolvers } from "@grpc-lb/resolver";
import { ChannelCredentials, createChannel, createClient, createServer } from "nice-grpc";

registerResolvers(); // once, before the first channel
registerPolicies();

// Code that ts-proto generates has such a definition as well.
const { Greeter } = loadPackageDefinition(loadSync(join(import.meta.dirname, "greeter.proto"))).greeter.v1;

const names = ["server-1", "server-2", "server-3"];
const servers = names.map((name) => {
  const server = createServer();
  server.add(Greeter.service, { Greet: async () => ({ server: name }) });
  return server;
});
const ports = await Promise.all(servers.map((server) => server.listen("127.0.0.1:0")));

const target = `static:///${ports.map((port) => `127.0.0.1:${port}`).join(",")}`;
const channel = createChannel(target, ChannelCredentials.createInsecure(), {
  "grpc.service_config": createServiceConfig({ least_request: {} }),
});
const client = createClient(Greeter.service, channel);

const counts = Object.fromEntries(names.map((name) => [name, 0]));
for (let n = 0; n < 30; n++) counts[(await client.Greet({})).server] += 1;

console.log("server    calls");
for (const [name, calls] of Object.entries(counts)) console.log(name.padEnd(8) + String(calls).padStart(7));

channel.close();
for (const server of servers) server.forceShutdown();
