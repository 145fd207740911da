// Servers to call.
import { join } from "node:path";
import { promisify } from "node:util";
import { loadPackageDefinition, Server, ServerCredentials, type ServiceClientConstructor } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";

const proto = loadPackageDefinition(loadSync(join(import.meta.dirname, "../greeter.proto"))) as unknown as {
  readonly greeter: { readonly v1: { readonly Greeter: ServiceClientConstructor } };
};

export interface GreeterServer {
  readonly address: string;
  close(): void;
}

/** Starts a server that answers with its name, on a free port. */
export async function startServer(name: string): Promise<GreeterServer> {
  const server = new Server();
  server.addService(proto.greeter.v1.Greeter.service, {
    greet: (_call: unknown, respond: (error: null, response: object) => void) => respond(null, { server: name }),
  });
  const port = await promisify(server.bindAsync.bind(server))("127.0.0.1:0", ServerCredentials.createInsecure());
  return { address: `127.0.0.1:${port}`, close: () => server.forceShutdown() };
}
