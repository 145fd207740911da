/**
 * An API server whose Service `hello` has servers of this machine as its pods: cluster.mjs KUBECONFIG PORT PORT … It writes the
 * kubeconfig, and then "ready".
 */
import { writeFileSync } from "node:fs";
import { FakeApiServer, slice } from "@grpc-lb/discovery/testing";

const [kubeconfig, ...ports] = process.argv.slice(2);
const api = await FakeApiServer.start();
for (const port of ports) {
  const addresses = [{ address: "127.0.0.1", pod: `hello-${port}` }];
  const name = `hello-${port}`;
  api.putSlice(slice({ service: "hello", name, addresses, ports: [{ name: "grpc", port: Number(port) }] }));
}
const cluster = { server: api.url, "insecure-skip-tls-verify": true };
const config = {
  apiVersion: "v1",
  kind: "Config",
  "current-context": "fake",
  contexts: [{ name: "fake", context: { cluster: "fake", user: "fake" } }],
  clusters: [{ name: "fake", cluster }],
  users: [{ name: "fake", user: {} }],
};
writeFileSync(kubeconfig, JSON.stringify(config));
process.stdout.write("ready\n");
