"use strict";
// CommonJS calls the servers by gRPC: calls.cjs ADDRESSES HTTP-ADDRESSES PROTO. It writes the names of the pods that answered.
const { promisify } = require("node:util");
const { credentials, loadPackageDefinition } = require("@grpc/grpc-js");
const { loadSync } = require("@grpc/proto-loader");
const { createServiceConfig, registerPolicies } = require("@grpc-lb/policies");
const { registerResolvers } = require("@grpc-lb/resolver");

registerResolvers();
registerPolicies();
const [addresses, , proto] = process.argv.slice(2);
const { PodService } = loadPackageDefinition(loadSync(proto)).pod.v1;
const client = new PodService(`static:///${addresses}`, credentials.createInsecure(), {
  "grpc.service_config": createServiceConfig({ least_request: {} }),
});
const getPod = promisify(client.GetPod.bind(client));

async function main() {
  const names = new Set();
  for (let n = 0; n < 40; n++) names.add((await getPod({})).pod.name);
  client.close();
  process.stdout.write(JSON.stringify([...names].sort()));
}

void main();
