// Some other library has loaded a grpc-js of its own: two-copies.mjs ADDRESSES HTTP-ADDRESSES PROTO. It writes the names of the
// pods that answered, and the warnings.
import { promisify } from "node:util";
import * as grpc from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { createServiceConfig, registerPolicies } from "@grpc-lb/policies";
import { registerResolvers } from "@grpc-lb/resolver";
import otherLibrary from "other-library";

if (otherLibrary.grpc.Client === grpc.Client) throw new Error("there must be two copies");
const warnings = [];
process.on("warning", ({ message }) => warnings.push(message));
registerResolvers();
registerPolicies();
const [addresses, , proto] = process.argv.slice(2);
const { PodService } = grpc.loadPackageDefinition(loadSync(proto)).pod.v1;
const client = new PodService(`static:///${addresses}`, grpc.credentials.createInsecure(), {
  "grpc.service_config": createServiceConfig({ least_request: {} }),
});
const getPod = promisify(client.GetPod.bind(client));
const names = new Set();
for (let n = 0; n < 40; n++) names.add((await getPod({})).pod.name);
client.close();
process.stdout.write(JSON.stringify({ names: [...names].sort(), warnings }));
