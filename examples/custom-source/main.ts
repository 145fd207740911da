// Calls to the instances that an inventory of our own knows, by a target of our own.
import { promisify } from "node:util";
import { credentials } from "@grpc/grpc-js";
import { registerResolvers } from "@grpc-lb/resolver";
import { Greeter, startServer } from "./greeter.ts";
import { Inventory } from "./inventory.ts";
import { createInventorySource } from "./inventory-source.ts";

const names = ["server-1", "server-2", "server-3"];
const servers = await Promise.all(names.map(startServer));
const instances = servers.map(({ address }) => ({ address, weight: 1 }));

const inventory = new Inventory();
await inventory.start();
for (const instance of instances.slice(0, 2)) inventory.put("greeter", instance);

// Once, before the first channel: targets such as inventory:///greeter.
const resolvers = registerResolvers({
  sources: { inventory: (target) => createInventorySource(inventory.url, new URL(target).pathname.slice(1)) },
});
const client = new Greeter("inventory:///greeter", credentials.createInsecure());
const greet = promisify(client.greet.bind(client));

printRow("30 calls", names);
await untilAnswerOf("server-1", "server-2");
printRow("two registered", await countCalls());
inventory.put("greeter", instances[2]);
await untilAnswerOf("server-3");
printRow("three registered", await countCalls());
await inventory.stop();
while (!resolvers.stats()[0]?.error) await greet({});
printRow("no inventory", await countCalls()); // the last good endpoints stay

client.close();
for (const server of servers) server.close();

async function countCalls(): Promise<number[]> {
  const counts = new Map(names.map((name) => [name, 0]));
  for (let n = 0; n < 30; n++) {
    const { server } = await greet({});
    counts.set(server, (counts.get(server) ?? 0) + 1);
  }
  return [...counts.values()];
}

/** Calls until each of these has answered: the client is connected to all of them. */
async function untilAnswerOf(...wanted: readonly string[]) {
  const missing = new Set(wanted);
  while (missing.size > 0) missing.delete((await greet({})).server);
}

function printRow(label: string, cells: readonly (string | number)[]) {
  console.log(label.padEnd(16) + cells.map((cell) => String(cell).padStart(10)).join(""));
}
