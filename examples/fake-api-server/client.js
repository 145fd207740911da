// The code under test: it knows its servers as a Service of Kubernetes. `registerResolvers()` is called by who starts the program.
import { promisify } from "node:util";
import { credentials } from "@grpc/grpc-js";
import { Greeter } from "./greeter.js";

/** Connects to the pods of a Service, such as `kubernetes:///greeter.default:grpc`. */
export function connect(target) {
  const client = new Greeter(target, credentials.createInsecure());
  const greet = promisify(client.greet.bind(client));
  return {
    /** Resolves with the name of the server that took the call. */
    greet: async () => (await greet({})).server,
    close: () => client.close(),
  };
}
