// Plain HTTP, balanced in the same way: a dispatcher for undici's fetch, and for the fetch of Node.
import { once } from "node:events";
import { createServer } from "node:http";
import { BalancedDispatcher } from "@grpc-lb/resolver/undici";
import { Dispatcher1Wrapper, interceptors, fetch as undiciFetch } from "undici";

const names = ["server-1", "server-2", "server-3"];
const servers = await Promise.all(names.map(startServer));
const addresses = servers.map((server) => `127.0.0.1:${server.address().port}`);

// In a cluster: "kubernetes:///greeter.default:http".
const dispatcher = new BalancedDispatcher(`static:///${addresses.join(",")}`);

printRow("30 requests", ...names);
printRow("fetch of undici", ...(await countRequests(undiciFetch, dispatcher)));
printRow("fetch of Node", ...(await countRequests(fetch, new Dispatcher1Wrapper(dispatcher))));

// A request that could not connect goes to the next server by itself. One that was already sent is repeated by this interceptor.
const retrying = dispatcher.compose(interceptors.retry({ maxRetries: 3, minTimeout: 100 }));
await stop(servers[2]);
printRow("server-3 has ended", ...(await countRequests(undiciFetch, retrying)));

await dispatcher.close();
await Promise.all(servers.slice(0, 2).map(stop));

/** The URL gives the path and the Host header; the dispatcher chooses the address. */
async function countRequests(fetch, dispatcher) {
  const counts = Object.fromEntries(names.map((name) => [name, 0]));
  for (let n = 0; n < 30; n++) {
    const response = await fetch("http://greeter.default/", { dispatcher });
    counts[await response.text()] += 1;
  }
  return Object.values(counts);
}

/** Starts a server that answers with its name, on a free port. */
async function startServer(name) {
  const server = createServer((_request, response) => response.end(name)).listen(0, "127.0.0.1");
  await once(server, "listening");
  return server;
}

async function stop(server) {
  server.close();
  server.closeAllConnections();
  await once(server, "close");
}

function printRow(label, ...cells) {
  console.log(label.padEnd(19) + cells.map((cell) => String(cell).padStart(10)).join(""));
}
