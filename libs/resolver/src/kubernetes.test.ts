import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { readFileSync } from "node:fs";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import {
  Channel,
  credentials,
  loadPackageDefinition,
  ServerCredentials,
  type ServiceClientConstructor,
} from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { assertNothingLeft, makeCertificates } from "@grpc-lb/core/testing";
import { FakeApiServer, service, slice } from "@grpc-lb/discovery/testing";
import { PodServiceService } from "@grpc-lb/protos/pod/v1";
import { createChannel, createClient, waitForChannelReady } from "nice-grpc";
import { endpointAt, FakeSource } from "../testing/fake-source.ts";
import { PodServer } from "../testing/pod-server.ts";
import { call, failure, type PodClient, Rig, settled, untilSpread } from "../testing/rig.ts";
import { type ResolverMessage, registerKubernetesResolver, resolverChannelName } from "./index.ts";
import { authorityOf, registerKubernetesScheme } from "./kubernetes.ts";

const options = { "grpc.use_local_subchannel_pool": 1, "grpc.enable_http_proxy": 0 };
const here = { env: {}, findSidecar: async () => undefined };

test("row 14: the authority is stable, and has a port only when it is a number", () => {
  for (const [target, want] of [
    ["kubernetes:///server", "server"],
    ["kubernetes:///server:grpc", "server"],
    ["kubernetes:///server:50051", "server:50051"],
    ["kubernetes:///server.default:grpc", "server.default"],
    ["kubernetes:///server.default:50051", "server.default:50051"],
    ["kubernetes:///server.default.svc.cluster.local:50051", "server.default:50051"],
    ["kubernetes://default/server:grpc", "server.default"],
    ["kubernetes://server.default:50051/", "server.default:50051"],
    ["kubernetes:///no such", "invalid.target"],
  ] as const) {
    assert.equal(authorityOf(target), want, target);
  }
});

test("row 14: the authority is what servers are told; grpc.default_authority replaces it", async (t) => {
  const rig = new Rig(t);
  const [a] = await rig.start("a");
  for (const key of ["default/server", "default/server:grpc", "default/server:50051"]) {
    rig.source(key).setEndpoints([a.endpoint]);
  }
  for (const [target, options, want] of [
    ["kubernetes:///server.default", {}, "server.default"],
    ["kubernetes://default/server:grpc", {}, "server.default"],
    ["kubernetes:///server:50051", {}, "server:50051"],
    ["kubernetes:///server.default:grpc", { "grpc.default_authority": "other.example" }, "other.example"],
  ] as const) {
    assert.equal(await call(rig.client(options, target)), "a");
    assert.equal(a.calls.at(-1)?.getHost(), want, target);
  }
});

test("row 14: TLS checks the certificate against service.namespace, whatever the pod's address", async (t) => {
  const certificates = makeCertificates("server.default");
  if (!certificates) return t.skip("there is no openssl to make certificates with");
  t.after(certificates.remove);
  const { certFile, keyFile } = certificates.server;
  const pair = { private_key: readFileSync(keyFile), cert_chain: readFileSync(certFile) };
  const rig = new Rig(t);
  const server = await PodServer.start("a", ServerCredentials.createSsl(null, [pair]));
  for (const key of ["default/server:grpc", "default/server:50051", "default/other"]) {
    rig.source(key).setEndpoints([server.endpoint]);
  }
  const security = credentials.createSsl(readFileSync(certificates.caFile));
  assert.equal(await call(rig.client({}, "kubernetes:///server.default:grpc", security)), "a");
  assert.equal(await call(rig.client({}, "kubernetes:///server.default:50051", security)), "a");
  const other = "kubernetes:///other.default";
  assert.match(await failure(rig.client({}, other, security)), /other\.default/);
  const override = { "grpc.ssl_target_name_override": "server.default" };
  assert.equal(await call(rig.client(override, other, security)), "a");
  server.kill();
});

test("rows 15 and 22: GW: 100 channels to a target are one watch; two targets are two; the last channel ends each", async (t) => {
  const rig = new Rig(t);
  const [a] = await rig.start("a");
  rig.source("default/server:grpc").setEndpoints([a.endpoint]);
  rig.source("default/server:other").setEndpoints([a.endpoint]);
  const spellings = ["kubernetes:///server.default:grpc", "kubernetes://default/server:grpc"] as const;
  const clients = Array.from({ length: 100 }, (_, n) => rig.client({}, spellings[n % 2]));
  const other = rig.client({}, "kubernetes:///server.default:other");
  await Promise.all([...clients, other].map(call));
  assert.deepEqual(
    rig.sources.map(({ watches, openWatches }) => [watches, openWatches]),
    [
      [1, 1],
      [1, 1],
    ],
  );
  const { target, channels, endpoints, error } = rig.resolver.stats()[0] ?? {};
  assert.deepEqual([target, channels, endpoints, error], ["default/server:grpc", 100, 1, undefined]);
  const [last, ...rest] = clients;
  for (const client of rest) client.close();
  await settled();
  assert.equal(rig.sources[0]?.openWatches, 1, "GW: closing some stops the watch for nobody else");
  last?.close();
  await settled();
  assert.deepEqual([rig.sources[0]?.openWatches, rig.sources[1]?.openWatches], [0, 1]);
});

test("a wrong target fails every call with a message that says what is wrong", async (t) => {
  const rig = new Rig(t);
  for (const [target, want] of [
    [
      "kubernetes:///server:no_port",
      /target "kubernetes:\/\/\/server:no_port": "no_port" is no port; expected kubernetes:/,
    ],
    ["kubernetes:///server.a.b", /is no service\.namespace\.svc\.domain/],
    ["kubernetes:///server?token=x", /unknown parameter "token"/],
    ["kubernetes://a/server.b", /two namespaces/],
  ] as const) {
    const client = rig.client({}, target);
    for (let n = 0; n < 3; n++) assert.match(await failure(client), want);
  }
  assert.deepEqual(rig.sources, []);
});

test("row 16: denied rights are said once, however many channels and retries there are", async (t) => {
  const rig = new Rig(t);
  const source = rig.source();
  const clients = [rig.client(), rig.client(), rig.client()];
  const failing = Promise.all(clients.map(failure));
  await source.untilOpen(1);
  const message = 'kubernetes: list endpointslices default/server: 403 Forbidden: User "x" cannot list resource';
  source.setUnknown("permissionDenied", message);
  assert.deepEqual(await failing, [message, message, message]);
  source.setUnknown("unavailable", "ECONNREFUSED");
  await settled();
  source.setUnknown("permissionDenied", message);
  await settled();
  assert.deepEqual(rig.warnings, [message]);
});

test("row 16: a warn that throws costs no call its error, be it for denied rights or a service config that cannot be used", async (t) => {
  const warnings: string[] = [];
  const onWarning = ({ message }: Error) => warnings.push(message);
  process.on("warning", onWarning);
  const source = new FakeSource();
  const warn = (message: string) => {
    throw new Error(`cannot log: ${message}`);
  };
  registerKubernetesScheme({ warn }, () => source, here);
  const { PodServiceClient } = await import("@grpc-lb/protos/pod/v1");
  const config = { "grpc.service_config": '{"loadBalancingConfig":[{"nobody_knows_it":{}}]}' };
  const client: PodClient = new PodServiceClient("kubernetes:///server", credentials.createInsecure(), {
    ...options,
    ...config,
  });
  t.after(async () => {
    client.close();
    process.off("warning", onWarning);
    await assertNothingLeft();
  });
  source.setUnknown("permissionDenied", "403 Forbidden");
  assert.equal(await failure(client), "403 Forbidden");
  await settled();
  assert.equal(warnings.length, 2, warnings.join("\n"));
  for (const text of warnings) assert.match(text, /^cannot log: (403 Forbidden|.*nobody_knows_it)/);
});

for (const [what, options, isSaid] of [
  ["said once, with what it costs", {}, true],
  ["not said where the user's service config counts", { policy: "round_robin" }, false],
  ["not said where annotations are refused", { "grpc.service_config_disable_resolution": 1 }, false],
] as const) {
  test(`row 16: a missing right to read the Service is ${what}`, async (t) => {
    const rig = new Rig(t);
    const [a] = await rig.start("a");
    const source = rig.source();
    const errors = { notFound: 0, invalid: 0, permissionDenied: 1, unavailable: 0, portNotFound: 0 };
    source.stats = { lastSyncAgeMs: 0, lists: 1, watches: 1, events: 0, errors, serviceAccess: "read" };
    source.setEndpoints([a.endpoint]);
    const clients = [rig.client(options), rig.client(options)] as const;
    assert.deepEqual([await call(clients[0]), await call(clients[1]), rig.warnings], ["a", "a", []]);
    source.stats = { ...source.stats, serviceAccess: "permissionDenied" };
    source.setError("unavailable", "away");
    source.setEndpoints([a.endpoint]);
    await settled();
    const want =
      "kubernetes: get service default/server: denied; calls go on, without its annotation grpc-lb.dev/service-config and " +
      'without its own port numbers; give the Role "services: get", or the channels grpc.service_config';
    assert.deepEqual(rig.warnings, isSaid ? [want] : []);
  });
}

test("diagnostics_channel has each snapshot that a channel was given, once", async (t) => {
  const rig = new Rig(t);
  const seen: ResolverMessage[] = [];
  const listen = (message: unknown) => seen.push(message as ResolverMessage);
  subscribe(resolverChannelName, listen);
  t.after(() => void unsubscribe(resolverChannelName, listen));
  rig.source().setEndpoints([]);
  const client = rig.client();
  await failure(client);
  await failure(client);
  rig.source().setError("unavailable", "away");
  await settled();
  assert.deepEqual(
    seen.map(({ target, snapshot }) => [target, snapshot.endpoints?.length, snapshot.error?.message]),
    [
      ["kubernetes:///server.default", 0, undefined],
      ["kubernetes:///server.default", 0, "away"],
    ],
  );
});

test("row 22: a target that no channel uses any more is forgotten", async (t) => {
  const made: FakeSource[] = [];
  const create = ({ service }: { service: string }) => {
    made.push(new FakeSource(service));
    return made.at(-1) as FakeSource;
  };
  const resolver = registerKubernetesScheme({ warn: () => {} }, create, here);
  const use = async (target: string) => {
    const channel = new Channel(target, credentials.createInsecure(), options);
    channel.getConnectivityState(true);
    await settled();
    const open = made.at(-1)?.openWatches;
    channel.close();
    await settled();
    return [made.length, open, made.at(-1)?.openWatches, resolver.stats().length];
  };
  assert.deepEqual(await use("kubernetes:///a"), [1, 1, 0, 0]);
  assert.deepEqual(await use("kubernetes:///b"), [2, 1, 0, 0]);
  assert.deepEqual(await use("kubernetes:///a"), [3, 1, 0, 0], "the first one's source is not kept");
  t.after(assertNothingLeft);
});

test("rows 15 and 27: a channel that comes back from idle shares with one that was made meanwhile", async (t) => {
  const rig = new Rig(t);
  const [a] = await rig.start("a");
  const source = rig.source();
  source.setEndpoints([a.endpoint]);
  const idle = rig.client({ "grpc.client_idle_timeout_ms": 1_000 });
  assert.equal(await call(idle), "a");
  await source.untilOpen(0);
  await settled();
  const other = rig.client();
  assert.deepEqual([await call(other), await call(idle)], ["a", "a"]);
  assert.deepEqual([source.watches, source.openWatches, rig.resolver.stats()[0]?.channels], [2, 1, 2]);
});

test("a second registration takes the channels that are made after it; each one's stats show its own", async (t) => {
  const rigs = [new Rig(t)];
  const open = async (rig: Rig, key: string) => {
    rig.source(key).setEndpoints([endpointAt(1)]);
    const client = rig.client({}, `kubernetes://${key}`);
    client.getChannel().getConnectivityState(true);
    await settled();
    return client;
  };
  const first = await open(rigs[0] as Rig, "default/first");
  rigs.push(new Rig(t));
  const second = await open(rigs[1] as Rig, "default/second");
  const targets = () => rigs.map(({ resolver }) => resolver.stats().map(({ target }) => target));
  assert.deepEqual(targets(), [["default/first"], ["default/second"]]);
  first.close();
  await settled();
  assert.deepEqual(targets(), [[], ["default/second"]]);
  second.close();
});

for (const [where, env, mesh, looks] of [
  ["in cluster, beside one", { KUBERNETES_SERVICE_HOST: "10.0.0.1", KUBERNETES_SERVICE_PORT: "443" }, "Istio", 1],
  ["in cluster, beside none", { KUBERNETES_SERVICE_HOST: "10.0.0.1", KUBERNETES_SERVICE_PORT: "443" }, undefined, 1],
  ["elsewhere", {}, "Istio", 0],
] as const) {
  test(`row 26: a sidecar is looked for once, in cluster only, and said: ${where}`, async (t) => {
    let looked = 0;
    const warnings: string[] = [];
    const findSidecar = async () => {
      looked += 1;
      return mesh;
    };
    const warn = (message: string) => warnings.push(message);
    registerKubernetesScheme({ warn }, () => new FakeSource(), { env, findSidecar });
    assert.equal(looked, 0, "not before there is a channel");
    for (const target of ["kubernetes:///a", "kubernetes:///b", "kubernetes:///a"]) {
      new Channel(target, credentials.createInsecure(), options).close();
      await settled();
    }
    const want =
      looks > 0 && mesh
        ? [
            "kubernetes:///a: Istio has a sidecar in this pod, which does not balance calls to pod addresses and may refuse " +
              "them under strict mTLS; with a mesh, dial the Service: dns:///service:port",
          ]
        : [];
    assert.deepEqual([looked, warnings], [looks, want]);
    t.after(assertNothingLeft);
  });
}

test("a proxy in the environment is said at the registration, once, and with nothing of its address", async () => {
  const warnings: string[] = [];
  const warn = (message: string) => warnings.push(message);
  const env = { http_proxy: "http://user:secret@proxy.example:3128" };
  registerKubernetesScheme({ warn }, () => new FakeSource(), { ...here, env });
  assert.equal(warnings.length, 1);
  assert.match(String(warnings), /^http_proxy is set: .*"grpc\.enable_http_proxy": 0/);
  assert.doesNotMatch(String(warnings), /secret|user|proxy\.example|3128/);

  registerKubernetesScheme({ warn, isProxyDisabled: true }, () => new FakeSource(), { ...here, env });
  assert.equal(warnings.length, 1, "whose channels pass by the proxy need no warning");
});

// ── Below, the whole way: an API server over HTTP, discovery, the resolver, grpc-js, a server.

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
  const resolver = registerKubernetesResolver({ access: api.access, warn });
  const closers: (() => void)[] = [];
  t.after(async () => {
    for (const close of closers) close();
    await api.until(({ openWatches, connections }) => openWatches === 0 && connections === 0);
    for (const pod of pods) pod.kill();
    await api.close();
    await assertNothingLeft();
  });
  return { api, pods, resolver, warnings, closers };
}

const target = "kubernetes:///server.default:grpc";

test("ts-proto's client works, and stats show what was done for it", async (t) => {
  const { api, pods, resolver, closers } = await cluster(t, "a", "b");
  const { PodServiceClient } = await import("@grpc-lb/protos/pod/v1");
  const client: PodClient = new PodServiceClient(target, credentials.createInsecure(), options);
  closers.push(() => client.close());
  await untilSpread(client, ...pods);
  const [stats, ...others] = resolver.stats();
  assert.ok(stats && others.length === 0);
  const { lastSyncAgeMs } = stats;
  assert.ok(lastSyncAgeMs !== undefined && lastSyncAgeMs >= 0 && lastSyncAgeMs < 20_000, `${lastSyncAgeMs}`);
  const errors = { notFound: 0, invalid: 0, permissionDenied: 0, unavailable: 0, portNotFound: 0 };
  const want = { target: "default/server:grpc", channels: 1, endpoints: 2, error: undefined, lists: 1, watches: 1 };
  assert.partialDeepStrictEqual(stats, { ...want, errors });
  api.deleteSlice("server-a");
  api.deleteSlice("server-b");
  while (resolver.stats()[0]?.endpoints !== 0) await settled();
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

test("row 17: an API server that is away for a while costs no call, and the Service's annotation is used", async (t) => {
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

test("row 16: a Role without services get is said in a warning, and costs no call", async (t) => {
  const { api, warnings, closers } = await cluster(t, "a");
  api.forbid("get", "services");
  const { PodServiceClient } = await import("@grpc-lb/protos/pod/v1");
  const client: PodClient = new PodServiceClient(target, credentials.createInsecure(), options);
  closers.push(() => client.close());
  assert.equal(await call(client), "a");
  assert.equal(warnings.length, 1);
  assert.match(String(warnings), /^kubernetes: get service default\/server: denied; /);
});

test("row 16: a missing Role is named in the call's error", async (t) => {
  const { api, closers } = await cluster(t, "a");
  api.forbid("list", "endpointslices");
  const { PodServiceClient } = await import("@grpc-lb/protos/pod/v1");
  const client: PodClient = new PodServiceClient(target, credentials.createInsecure(), options);
  closers.push(() => client.close());
  assert.match(await failure(client), /403.*cannot list resource "endpointslices".*namespace "default"/);
});
