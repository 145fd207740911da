// nice-grpc, with a target of ours and one of our policies: nice-grpc.mjs ADDRESSES HTTP-ADDRESSES PROTO. It writes the pods' names.
import { credentials, loadPackageDefinition } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { createServiceConfig, registerPolicies } from "@grpc-lb/policies";
import { registerResolvers } from "@grpc-lb/resolver";
import { createChannel, createClient } from "nice-grpc";

registerResolvers();
registerPolicies();
const [addresses, , proto] = process.argv.slice(2);
const { PodService } = loadPackageDefinition(loadSync(proto)).pod.v1;
const channel = createChannel(`static:///${addresses}`, credentials.createInsecure(), {
  "grpc.service_config": createServiceConfig({ least_request: {} }),
});
const client = createClient(PodService.service, channel);
const names = new Set();
for (let n = 0; n < 40; n++) names.add((await client.GetPod({})).pod.name);
channel.close();
process.stdout.write(JSON.stringify([...names].sort()));
