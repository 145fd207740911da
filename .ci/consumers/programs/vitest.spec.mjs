// vitest with its default configuration: ES modules, transformed.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { credentials, loadPackageDefinition } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { createSource } from "@grpc-lb/discovery";
import { createServiceConfig, registerPolicies } from "@grpc-lb/policies";
import { registerResolvers } from "@grpc-lb/resolver";
import { BalancedDispatcher } from "@grpc-lb/resolver/undici";
import { request } from "undici";
import { expect, test } from "vitest";

const { GRPC = "", HTTP = "", PROTO = "" } = process.env;

test("calls by gRPC reach every pod", async () => {
  registerResolvers();
  registerPolicies();
  const { PodService } = loadPackageDefinition(loadSync(PROTO)).pod.v1;
  const client = new PodService(`static:///${GRPC}`, credentials.createInsecure(), {
    "grpc.service_config": createServiceConfig({ least_request: {} }),
  });
  const getPod = promisify(client.GetPod.bind(client));
  const names = new Set();
  for (let n = 0; n < 40; n++) names.add((await getPod({})).pod.name);
  client.close();
  expect([...names].sort()).toEqual(["pod-a", "pod-b"]);
});

test("requests by HTTP reach every pod", async () => {
  const dispatcher = new BalancedDispatcher(`static:///${HTTP}`);
  const names = new Set();
  for (let n = 0; n < 4; n++) {
    const { body } = await request("http://server/", { dispatcher });
    names.add((await body.json()).name);
  }
  await dispatcher.close();
  expect([...names].sort()).toEqual(["pod-a", "pod-b"]);
});

test("what a target needs is loaded with its first use", async () => {
  const file = join(import.meta.dirname, "endpoints.yaml");
  writeFileSync(file, '- { address: "10.0.0.3:80" }\n');
  for await (const { endpoints, error } of createSource(`file://${file}`).watch()) {
    expect(error).toBeUndefined();
    expect(endpoints).toHaveLength(1);
    break;
  }
});
