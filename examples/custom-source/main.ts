// Requests to the instances that an inventory of our own knows.
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { BalancedDispatcher } from "@grpc-lb/resolver/undici";
import { fetch } from "undici";
import { Inventory } from "./inventory.ts";
import { createInventorySource } from "./inventory-source.ts";

const names = ["server-1", "server-2", "server-3"];
const servers = await Promise.all(names.map(startServer));
const instances = servers.map((server) => ({
  address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
  weight: 1,
}));

const inventory = new Inventory();
await inventory.start();
for (const instance of instances.slice(0, 2)) inventory.put("greeter", instance);

const source = createInventorySource(inventory.url, "greeter");
const dispatcher = new BalancedDispatcher(source);

printRow("30 requests", names);
printRow("two registered", await countRequests());
inventory.put("greeter", instances[2]);
for await (const { endpoints } of source.watch()) if (endpoints?.length === 3) break;
printRow("three registered", await countRequests());
await inventory.stop();
for await (const { error } of source.watch()) if (error) break;
printRow("no inventory", await countRequests()); // the last good endpoints stay

await dispatcher.close();
for (const server of servers) server.close();

async function countRequests(): Promise<number[]> {
  const counts = new Map(names.map((name) => [name, 0]));
  for (let n = 0; n < 30; n++) {
    const response = await fetch("http://greeter/", { dispatcher });
    const name = await response.text();
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return [...counts.values()];
}

/** Starts a server that answers with its name, on a free port. */
async function startServer(name: string) {
  const server = createServer((_request, response) => response.end(name)).listen(0, "127.0.0.1");
  await once(server, "listening");
  return server;
}

function printRow(label: string, cells: readonly (string | number)[]) {
  console.log(label.padEnd(16) + cells.map((cell) => String(cell).padStart(10)).join(""));
}
