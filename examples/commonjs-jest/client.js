// The code under test: a client that knows its servers by a target.
const { join } = require("node:path");
const { promisify } = require("node:util");
const { credentials, loadPackageDefinition } = require("@grpc/grpc-js");
const { loadSync } = require("@grpc/proto-loader");
const { registerResolvers } = require("@grpc-lb/resolver");

registerResolvers(); // once, before the first channel

const { Greeter } = loadPackageDefinition(loadSync(join(__dirname, "greeter.proto"))).greeter.v1;

/** Connects to the servers of a target, such as `kubernetes:///greeter.default:grpc`. */
function connect(target) {
  const client = new Greeter(target, credentials.createInsecure());
  const greet = promisify(client.greet.bind(client));
  return {
    /** Resolves with the name of the server that took the call. */
    greet: async () => (await greet({})).server,
    close: () => client.close(),
  };
}

module.exports = { Greeter, connect };
