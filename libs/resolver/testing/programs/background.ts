import { credentials } from "@grpc/grpc-js";
import { createKubernetesSource } from "@grpc-lb/discovery/kubernetes";
import { PodServiceClient } from "@grpc-lb/protos/pod/v1";
import { request } from "undici";
import { registerKubernetesResolver } from "../../src/index.ts";
import { BalancedDispatcher } from "../../src/undici/index.ts";
import { call } from "../rig.ts";

/** A program for `background.test.ts`: one call or request, whose answer it prints; it closes nothing. */
const [url = "", mode] = process.argv.slice(2);
const access = { server: new URL(url), namespace: "default", credentials: async () => ({ headers: {}, tls: {} }) };

async function ask(): Promise<string> {
  if (mode === "grpc") {
    registerKubernetesResolver({ access });
    return call(new PodServiceClient("kubernetes:///server.default", credentials.createInsecure()));
  }
  const source = createKubernetesSource({ service: "server", access, background: true });
  const response = await request("http://server.default/", { dispatcher: new BalancedDispatcher(source) });
  return response.body.text();
}
process.stdout.write(`${await ask()}\n`);
