import { credentials } from "@grpc/grpc-js";
import { createSource } from "@grpc-lb/discovery";
import { PodServiceClient } from "@grpc-lb/protos/pod/v1";
import { request } from "undici";
import { registerResolvers } from "../../src/index.ts";
import { BalancedDispatcher } from "../../src/undici/index.ts";
import { call } from "../rig.ts";

/** A program for `background.test.ts`: one call or request, whose answer it prints; it closes nothing. */
const [url = "", mode] = process.argv.slice(2);
const access = { server: new URL(url), namespace: "default", credentials: async () => ({ headers: {}, tls: {} }) };

async function answer(): Promise<string> {
  if (mode === "grpc") {
    registerResolvers({ kubernetes: { access } });
    return call(new PodServiceClient("kubernetes:///server.default", credentials.createInsecure()));
  }
  const source = createSource("kubernetes:///server", { kubernetes: { access } });
  const response = await request("http://server.default/", { dispatcher: new BalancedDispatcher(source) });
  return response.body.text();
}
process.stdout.write(`${await answer()}\n`);
