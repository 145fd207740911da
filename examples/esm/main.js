// Which server takes each of 30 calls: without the packages, with the resolver, and with a policy.
import { promisify } from "node:util";
import { credentials } from "@grpc/grpc-js";
import { createServiceConfig, registerPolicies } from "@grpc-lb/policies";
import { registerResolvers } from "@grpc-lb/resolver";
import { Greeter, startServer } from "./greeter.js";

registerResolvers(); // once, before the first channel
registerPolicies();

const servers = await Promise.all(["server-1", "server-2", "server-3"].map(startServer));
const addresses = servers.map(({ address }) => address).join(",");
const leastRequest = { "grpc.service_config": createServiceConfig({ least_request: {} }) };

printRow("target, policy", ...servers.map(({ name }) => name));
printRow("ipv4, pick_first", ...(await countCalls(`ipv4:${addresses}`))); // grpc-js alone
printRow("static, round_robin", ...(await countCalls(`static:///${addresses}`)));
printRow("static, least_request", ...(await countCalls(`static:///${addresses}`, leastRequest)));
for (const server of servers) server.close();

/** Makes 30 calls, and returns how many of them each server took. */
async function countCalls(target, options = {}) {
  const client = new Greeter(target, credentials.createInsecure(), options);
  const greet = promisify(client.greet.bind(client));
  const counts = Object.fromEntries(servers.map(({ name }) => [name, 0]));
  for (let n = 0; n < 30; n++) counts[(await greet({})).server] += 1;
  client.close();
  return Object.values(counts);
}

function printRow(label, ...cells) {
  console.log(label.padEnd(22) + cells.map((cell) => String(cell).padStart(10)).join(""));
}
