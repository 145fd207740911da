// CommonJS registers, an ES module calls. It writes the names of the pods, and the exports that differ between the two.
import { createRequire } from "node:module";
import { promisify } from "node:util";
import { credentials, loadPackageDefinition } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import * as policies from "@grpc-lb/policies";
import * as resolver from "@grpc-lb/resolver";

const require = createRequire(import.meta.url);
require("@grpc-lb/resolver").registerResolvers();
require("@grpc-lb/policies").registerPolicies();
const [addresses, , proto] = process.argv.slice(2);
const { PodService } = loadPackageDefinition(loadSync(proto)).pod.v1;
const client = new PodService(`static:///${addresses}`, credentials.createInsecure(), {
  "grpc.service_config": policies.createServiceConfig({ least_request: {} }),
});
const getPod = promisify(client.GetPod.bind(client));
const names = new Set();
for (let n = 0; n < 40; n++) names.add((await getPod({})).pod.name);
client.close();
const differing = Object.entries({ "@grpc-lb/policies": policies, "@grpc-lb/resolver": resolver }).flatMap(
  ([name, module]) => Object.keys({ ...module, ...require(name) }).filter((key) => module[key] !== require(name)[key]),
);
process.stdout.write(JSON.stringify({ names: [...names].sort(), differing }));
