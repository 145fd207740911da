/** Calls a target one time after another with gRPC's own xDS client, and writes the pod of each call, or the error. */
import { setTimeout as delay } from "node:timers/promises";
import { credentials, Metadata } from "@grpc/grpc-js";
import { PodServiceClient } from "@grpc-lb/protos/pod/v1";
import { registerProxyless } from "@grpc-lb/xds/proxyless";

const [target = ""] = process.argv.slice(2);
await registerProxyless();
const client = new PodServiceClient(target, credentials.createInsecure());
process.once("SIGTERM", () => process.exit()); // its timers would keep it alive for 15 minutes
for (;;) {
  const line = await new Promise<string>((resolve) =>
    client.getPod({}, new Metadata(), { deadline: Date.now() + 10_000 }, (error, response) =>
      resolve(error ? `error: ${error.message}` : (response?.pod?.name ?? "")),
    ),
  );
  process.stdout.write(`${line}\n`);
  await delay(1);
}
