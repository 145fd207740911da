// A client of greeter.proto, and servers to call.
import { join } from "node:path";
import { promisify } from "node:util";
import {
  type ChannelCredentials,
  type Client,
  loadPackageDefinition,
  Server,
  ServerCredentials,
  type ServiceDefinition,
} from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";

interface GreeterClient extends Client {
  greet(request: object, callback: (error: Error | null, response: { readonly server: string }) => void): void;
}

interface Proto {
  readonly greeter: {
    readonly v1: {
      readonly Greeter: {
        new (target: string, credentials: ChannelCredentials): GreeterClient;
        readonly service: ServiceDefinition;
      };
    };
  };
}

const proto = loadPackageDefinition(loadSync(join(import.meta.dirname, "greeter.proto"))) as unknown as Proto;

export const { Greeter } = proto.greeter.v1;

/** Starts a server that answers with its name, on a free port. */
export async function startServer(name: string) {
  const server = new Server();
  server.addService(Greeter.service, {
    greet: (_call: unknown, respond: (error: null, response: object) => void) => respond(null, { server: name }),
  });
  const port = await promisify(server.bindAsync.bind(server))("127.0.0.1:0", ServerCredentials.createInsecure());
  return { name, address: `127.0.0.1:${port}`, close: () => server.forceShutdown() };
}
