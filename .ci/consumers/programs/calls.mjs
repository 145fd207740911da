// An ES module calls the servers by gRPC: calls.mjs ADDRESSES HTTP-ADDRESSES PROTO. It writes the names of the pods that answered.
import { promisify } from "node:util";
import { credentials, loadPackageDefinition } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { createServiceConfig, registerPolicies } from "@grpc-lb/policies";
import { registerResolvers } from "@grpc-lb/resolver";

registerResolvers();
registerPolicies();
const [addresses, , proto] = process.argv.slice(2);
const { PodService } = loadPackageDefinition(loadSync(proto)).pod.v1;
const client = new PodService(`static:///${addresses}`, credentials.createInsecure(), {
  "grpc.service_config": createServiceConfig({ least_request: {} }),
});
const getPod = promisify(client.GetPod.bind(client));
const names = new Set();
for (let n = 0; n < 40; n++) names.add((await getPod({})).pod.name);
client.close();
process.stdout.write(JSON.stringify([...names].sort()));
