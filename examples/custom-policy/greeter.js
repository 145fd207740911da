// The client class of greeter.proto, and a server to call.
import { join } from "node:path";
import { promisify } from "node:util";
import { loadPackageDefinition, Server, ServerCredentials } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";

export const { Greeter } = loadPackageDefinition(loadSync(join(import.meta.dirname, "greeter.proto"))).greeter.v1;

/** Starts a server that answers with its name, on a free port. */
export async function startServer(name) {
  const server = new Server();
  server.addService(Greeter.service, { greet: (_call, respond) => respond(null, { server: name }) });
  const port = await promisify(server.bindAsync.bind(server))("127.0.0.1:0", ServerCredentials.createInsecure());
  return { name, address: `127.0.0.1:${port}`, close: () => server.forceShutdown() };
}
