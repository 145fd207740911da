// jest's default configuration: CommonJS, each test file with modules of its own.
const { promisify } = require("node:util");
const { writeFileSync } = require("node:fs");
const { join } = require("node:path");
const { credentials, loadPackageDefinition } = require("@grpc/grpc-js");
const { loadSync } = require("@grpc/proto-loader");
const { createSource } = require("@grpc-lb/discovery");
const { createServiceConfig, registerPolicies } = require("@grpc-lb/policies");
const { registerResolvers } = require("@grpc-lb/resolver");
const { BalancedDispatcher } = require("@grpc-lb/resolver/undici");
const { request } = require("undici");

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
  const file = join(__dirname, "endpoints.yaml");
  writeFileSync(file, '- { address: "10.0.0.3:80" }\n');
  for await (const { endpoints, error } of createSource(`file://${file}`).watch()) {
    expect(error).toBeUndefined();
    expect(endpoints).toHaveLength(1);
    break;
  }
});
