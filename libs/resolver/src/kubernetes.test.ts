import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { credentials, loadPackageDefinition, type ServiceClientConstructor } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { assertNothingLeft, until } from "@grpc-lb/core/testing";
import { FakeApiServer, service, slice } from "@grpc-lb/discovery/testing";
import { PodServiceService } from "@grpc-lb/protos/pod/v1";
import { createChannel, createClient, waitForChannelReady } from "nice-grpc";
import { PodServer } from "../testing/pod-server.ts";
import { call, failure, type PodClient, untilSpread } from "../testing/rig.ts";
import { registerResolvers } from "./index.ts";

// All the way: an API server over HTTP, discovery, the resolver, grpc-js, a server.

const options = { "grpc.use_local_subchannel_pool": 1, "grpc.enable_http_proxy": 0 };

const sliceOf = (pod: PodServer) =>
  slice({
    service: "server",
    name: `server-${pod.name}`,
    addresses: [{ address: "127.0.0.1", pod: pod.name }],
    ports: [{ name: "grpc", port: pod.port, protocol: "TCP" }],
  });

async function cluster(t: TestContext, ...names: string[]) {
  const api = await FakeApiServer.start();
  const pods = await Promise.all(names.map((name) => PodServer.start(name)));
  api.putSlice(...pods.map(sliceOf));
  const warnings: string[] = [];
  const warn = (message: string) => warnings.push(message);
  const resolvers = registerResolvers({ kubernetes: { access: api.access }, warn });
  const closers: (() => void)[] = [];
  t.after(async () => {
    for (const close of closers) close();
    await api.until(({ openWatches, connections }) => openWatches === 0 && connections === 0);
    for (const pod of pods) pod.kill();
    await api.close();
    await assertNothingLeft();
  });
  return { api, pods, resolvers, warnings, closers };
}

const target = "kubernetes:///server.default:grpc";

test("ts-proto's client works, and stats show what the source did for it", async (t) => {
  const { api, pods, resolvers, closers } = await cluster(t, "a", "b");
  api.putService(service({ name: "server" }));
  const { PodServiceClient } = await import("@grpc-lb/protos/pod/v1");
  const client: PodClient = new PodServiceClient(target, credentials.createInsecure(), options);
  closers.push(() => client.close());
  await untilSpread(client, ...pods);
  const [stats, ...others] = resolvers.stats();
  assert.ok(stats && others.length === 0);
  const { lastSyncAgeMs } = stats;
  assert.ok(lastSyncAgeMs !== undefined && lastSyncAgeMs >= 0 && lastSyncAgeMs < 20_000, `${lastSyncAgeMs}`);
  const errors = { notFound: 0, invalid: 0, permissionDenied: 0, unavailable: 0, portNotFound: 0 };
  const want = { target, channels: 1, endpoints: 2, error: undefined, lists: 1, watches: 1 };
  assert.partialDeepStrictEqual(stats, { ...want, errors });
  api.deleteSlice("server-a");
  api.deleteSlice("server-b");
  await until(() => resolvers.stats()[0]?.endpoints === 0, "no endpoints");
  assert.match(await failure(client), /service default\/server has no/);
});

test("proto-loader's client works", async (t) => {
  const { closers } = await cluster(t, "a");
  const proto = fileURLToPath(new URL("../../../protos/pod/v1/pod.proto", import.meta.url));
  const { pod } = loadPackageDefinition(loadSync(proto)) as unknown as {
    pod: { v1: { PodService: ServiceClientConstructor } };
  };
  const client = new pod.v1.PodService(target, credentials.createInsecure(), options) as unknown as PodClient;
  closers.push(() => client.close());
  assert.equal(await call(client), "a");
});

test("nice-grpc's client works", async (t) => {
  const { closers } = await cluster(t, "a");
  const channel = createChannel(target, credentials.createInsecure(), options);
  closers.push(() => channel.close());
  await waitForChannelReady(channel, new Date(Date.now() + 20_000));
  const response = await createClient(PodServiceService, channel).getPod({});
  assert.equal(response.pod?.name, "a");
});

test("an API server that is away for a while costs no call, and the Service's annotation is used", async (t) => {
  const { api, closers } = await cluster(t, "a", "b");
  const annotations = { "grpc-lb.dev/service-config": '{"loadBalancingConfig":[{"pick_first":{}}]}' };
  api.putService(service({ name: "server", annotations }));
  const { PodServiceClient } = await import("@grpc-lb/protos/pod/v1");
  const client: PodClient = new PodServiceClient(target, credentials.createInsecure(), options);
  closers.push(() => client.close());
  const name = await call(client);
  await api.stop();
  for (let n = 0; n < 10; n++) assert.equal(await call(client), name, "pick_first stays where it is");
  await api.start();
});

test("a Role without the right to read Services is one warning, and costs no call", async (t) => {
  const { api, warnings, closers } = await cluster(t, "a");
  for (const verb of ["get", "list", "watch"] as const) api.forbid(verb, "services");
  const { PodServiceClient } = await import("@grpc-lb/protos/pod/v1");
  const client: PodClient = new PodServiceClient(target, credentials.createInsecure(), options);
  closers.push(() => client.close());
  assert.equal(await call(client), "a");
  assert.equal(warnings.length, 1);
  assert.match(
    String(warnings),
    /^kubernetes: get service default\/server: 403 .*; calls continue without its annotation grpc-lb\.dev\/service-config; /,
  );
});

test("a missing Role is named in the call's error", async (t) => {
  const { api, closers } = await cluster(t, "a");
  api.forbid("list", "endpointslices");
  const { PodServiceClient } = await import("@grpc-lb/protos/pod/v1");
  const client: PodClient = new PodServiceClient(target, credentials.createInsecure(), options);
  closers.push(() => client.close());
  assert.match(await failure(client), /403.*cannot list resource "endpointslices".*namespace "default"/);
});
