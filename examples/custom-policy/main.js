// 100 calls under a policy of our own: 10 % go to the servers of version v2.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { credentials } from "@grpc/grpc-js";
import { createServiceConfig, registerPolicy } from "@grpc-lb/policies";
import { registerResolvers } from "@grpc-lb/resolver";
import { canary } from "./canary.ts";
import { Greeter, startServer } from "./greeter.js";

registerResolvers(); // once, before the first channel
registerPolicy(canary);

const versions = { "server-1": "v1", "server-2": "v1", "server-3": "v2" };
const servers = await Promise.all(Object.keys(versions).map(startServer));

// Endpoints get metadata from their source; in a file it is written beside the address.
const folder = mkdtempSync(join(tmpdir(), "example-"));
const file = join(folder, "endpoints.json");
const endpoints = servers.map(({ name, address }) => ({ address, metadata: { version: versions[name] } }));
writeFileSync(file, JSON.stringify(endpoints));

const client = new Greeter(`file://${file}`, credentials.createInsecure(), {
  "grpc.service_config": createServiceConfig({ canary: { version: "v2", percent: 10 } }),
});
const greet = promisify(client.greet.bind(client));
const counts = Object.fromEntries(servers.map(({ name }) => [name, 0]));
for (let n = 0; n < 100; n++) counts[(await greet({})).server] += 1;

console.log("server    version  calls");
for (const [name, calls] of Object.entries(counts)) {
  console.log(`${name}  ${versions[name].padEnd(7)}  ${String(calls).padStart(5)}`);
}

// A mistake is found when the config is made.
try {
  createServiceConfig({ canary: { version: "v2", percent: 110 } });
} catch (error) {
  console.log(`\n110 %: ${error.message}`);
}

client.close();
for (const server of servers) server.close();
rmSync(folder, { recursive: true });
