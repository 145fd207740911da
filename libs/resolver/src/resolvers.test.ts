import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Channel, credentials, experimental, ServerCredentials } from "@grpc/grpc-js";
import { assertNothingLeft, makeCertificates, until } from "@grpc-lb/core/testing";
import { endpointAt, FakeSource } from "../testing/fake-source.ts";
import { PodServer } from "../testing/pod-server.ts";
import { bareContext, call, failure, type PodClient, Rig, settled, spread, untilSpread } from "../testing/rig.ts";
import { type ResolverEndMessage, type ResolverErrorMessage, resolverChannels, type SnapshotMessage } from "./index.ts";
import { registerResolvers, registerResolversIn } from "./resolvers.ts";

const options = { "grpc.use_local_subchannel_pool": 1, "grpc.enable_http_proxy": 0 };

test("servers receive the authority; grpc.default_authority replaces it", async (t) => {
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

test("TLS checks the certificate against service.namespace, whatever the pod's address", async (t) => {
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

test("100 channels to a target share one run of its source; two targets have two; the last channel ends each", async (t) => {
  const rig = new Rig(t);
  const [a] = await rig.start("a");
  rig.source("default/server:grpc").setEndpoints([a.endpoint]);
  rig.source("default/server:other").setEndpoints([a.endpoint]);
  const spellings = ["kubernetes:///server.default:grpc", "kubernetes://default/server:grpc"] as const;
  const clients = Array.from({ length: 100 }, (_, n) => rig.client({}, spellings[n % 2]));
  const other = rig.client({}, "kubernetes:///server.default:other");
  await Promise.all([...clients, other].map(call));
  assert.deepEqual(
    rig.sources.map(({ runs, openRuns }) => [runs, openRuns]),
    [
      [1, 1],
      [1, 1],
    ],
  );
  const { target, channels, endpoints, error } = rig.resolvers.stats()[0] ?? {};
  assert.deepEqual([target, channels, endpoints, error], [spellings[0], 100, 1, undefined]);
  const [last, ...rest] = clients;
  for (const client of rest) client.close();
  await settled();
  assert.equal(rig.sources[0]?.openRuns, 1, "closing some channels ends the run for no other");
  last?.close();
  await settled();
  assert.deepEqual([rig.sources[0]?.openRuns, rig.sources[1]?.openRuns], [0, 1]);
});

test("a target that is not valid fails every call with the reason", async (t) => {
  const rig = new Rig(t);
  for (const [target, want] of [
    [
      "kubernetes:///server:no_port",
      /target "kubernetes:\/\/\/server:no_port": "no_port" must be a port number or name; expected kubernetes:/,
    ],
    ["kubernetes:///server.a.b", /must be service\.namespace\.svc\.domain/],
    ["kubernetes:///server?token=x", /unknown parameter "token"/],
    ["kubernetes://a/server.b", /two namespaces/],
  ] as const) {
    const client = rig.client({}, target);
    for (let n = 0; n < 3; n++) assert.match(await failure(client), want);
  }
  assert.deepEqual(rig.sources, []);
});

test("a missing right is one warning, however many channels and retries there are", async (t) => {
  const rig = new Rig(t);
  const source = rig.source();
  const clients = [rig.client(), rig.client(), rig.client()];
  const failing = Promise.all(clients.map(failure));
  await source.untilOpen(1);
  const message = 'kubernetes: list endpointslices default/server: 403 Forbidden: User "x" cannot list resource';
  source.setError("permissionDenied", message);
  assert.deepEqual(await failing, [message, message, message]);
  source.setError("unavailable", "ECONNREFUSED");
  await settled();
  source.setError("permissionDenied", message);
  await settled();
  assert.deepEqual(rig.warnings, [message]);
});

test("calls fail with their own error when warn throws, be it for a missing right or a service config that cannot be used", async (t) => {
  const warnings: string[] = [];
  const onWarning = ({ message }: Error) => warnings.push(message);
  process.on("warning", onWarning);
  const source = new FakeSource();
  const warn = (message: string) => {
    throw new Error(`cannot log: ${message}`);
  };
  registerResolversIn({ warn }, { ...bareContext, createSource: () => source });
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
  source.setError("permissionDenied", "403 Forbidden");
  assert.equal(await failure(client), "403 Forbidden");
  await settled();
  assert.equal(warnings.length, 2, warnings.join("\n"));
  for (const text of warnings) assert.match(text, /^cannot log: (403 Forbidden|.*nobody_knows_it)/);
});

for (const [what, options, isEmitted] of [
  ["one warning, with what it costs", {}, true],
  ["no warning where the channel's service config counts", { policy: "round_robin" }, false],
  ["no warning where service configs of services are refused", { "grpc.service_config_disable_resolution": 1 }, false],
] as const) {
  test(`a missing right to read the Service is ${what}`, async (t) => {
    const rig = new Rig(t);
    const [a] = await rig.start("a");
    const source = rig.source();
    source.setEndpoints([a.endpoint]);
    source.setServiceConfigError("unavailable", "kubernetes: list services default/server: ECONNREFUSED");
    const clients = [rig.client(options), rig.client(options)] as const;
    assert.deepEqual([await call(clients[0]), await call(clients[1]), rig.warnings], ["a", "a", []]);
    source.setServiceConfigError("permissionDenied", "kubernetes: list services default/server: 403 Forbidden");
    source.setError("unavailable", "away");
    source.setEndpoints([a.endpoint]);
    await settled();
    const want =
      "kubernetes: list services default/server: 403 Forbidden; calls continue without its annotation " +
      "grpc-lb.dev/service-config; grant that right, or set grpc.service_config on the channels";
    assert.deepEqual(rig.warnings, isEmitted ? [want] : []);
  });
}

test("an endpoint of weight 0 gets no call under round_robin while there is another, and all calls when it is alone", async (t) => {
  const rig = new Rig(t);
  const [a, b, c] = await rig.start("a", "b", "c");
  const standby = { ...c.endpoint, weight: 0 };
  rig.source().setEndpoints([standby, a.endpoint, b.endpoint]);
  const client = rig.client({ policy: "round_robin" });
  await untilSpread(client, a, b);
  assert.deepEqual(await spread(client, 60), { a: 30, b: 30 });
  rig.source().setEndpoints([standby]);
  await settled();
  assert.deepEqual(await spread(client, 60), { c: 60 });
  rig.source().setEndpoints([standby, a.endpoint]);
  await settled();
  await untilSpread(client, a);
  assert.deepEqual(await spread(client, 60), { a: 60 });
});

/** A policy whose configuration is never valid; grpc-js keeps its errors to itself. */
class RefusedConfig implements experimental.TypedLoadBalancingConfig {
  getLoadBalancerName = () => "refused";
  toJsonObject = () => ({});
  static createFromJson(): RefusedConfig {
    throw new RangeError("unknown field choicecount; known fields: choiceCount");
  }
}

for (const [where, prefix] of [
  ["channel", "kubernetes:///server.default: grpc.service_config"],
  ["service", "service default/server: its annotation grpc-lb.dev/service-config"],
] as const) {
  test(`a wrong field in the policy of the ${where} is one warning, and calls go to all endpoints in turn`, async (t) => {
    experimental.registerLoadBalancerType("refused", class {} as never, RefusedConfig);
    const rig = new Rig(t);
    const servers = await rig.start("a", "b", "c");
    const config = JSON.stringify({ loadBalancingConfig: [{ refused: { choicecount: 3 } }] });
    rig.source().setEndpoints(
      servers.map(({ endpoint }) => endpoint),
      where === "service" ? config : undefined,
    );
    const client = rig.client(where === "channel" ? { "grpc.service_config": config } : {});
    await untilSpread(client, ...servers);
    assert.deepEqual(await spread(client, 60), { a: 20, b: 20, c: 20 });
    const error = "refused: unknown field choicecount; known fields: choiceCount";
    assert.deepEqual(rig.warnings, [`${prefix}: ${error}; round_robin is used instead`]);
  });
}

test("two endpoints with one address have one share of 60 calls", async (t) => {
  const rig = new Rig(t);
  const [a, b] = await rig.start("a", "b");
  rig.source().setEndpoints([a.endpoint, { ...a.endpoint, id: "the same address" }, b.endpoint]);
  const client = rig.client();
  await untilSpread(client, a, b);
  assert.deepEqual(await spread(client, 60), { a: 30, b: 30 });
});

test("diagnostics_channel has each snapshot that a channel received, once", async (t) => {
  const rig = new Rig(t);
  const seen: SnapshotMessage[] = [];
  const listen = (message: unknown) => seen.push(message as SnapshotMessage);
  subscribe(resolverChannels.snapshot, listen);
  t.after(() => void unsubscribe(resolverChannels.snapshot, listen));
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

test("each channel that closes publishes the end of its snapshots, and so does one that becomes idle", async (t) => {
  const rig = new Rig(t);
  const seen: SnapshotMessage[] = [];
  const ended: ResolverEndMessage[] = [];
  const note = (message: unknown) => void seen.push(message as SnapshotMessage);
  const noteEnd = (message: unknown) => void ended.push(message as ResolverEndMessage);
  subscribe(resolverChannels.snapshot, note);
  subscribe(resolverChannels.end, noteEnd);
  t.after(() => {
    unsubscribe(resolverChannels.snapshot, note);
    unsubscribe(resolverChannels.end, noteEnd);
  });
  const [a] = await rig.start("a");
  rig.source().setEndpoints([a.endpoint]);
  const idle = rig.client({ "grpc.client_idle_timeout_ms": 1_000 });
  const open = rig.client();
  await spread(idle, 1);
  await spread(open, 1);
  assert.equal(new Set(seen.map(({ instance }) => instance)).size, 2);
  await until(() => ended.length === 1, "idleness");
  open.close();
  assert.deepEqual(
    ended.map(({ target, instance }) => [target, instance]),
    seen.map(({ target, instance }) => [target, instance]),
  );
});

test("nothing is kept of a target that no channel uses any more", async (t) => {
  const made: FakeSource[] = [];
  const createSource = (target: string) => {
    made.push(new FakeSource(target));
    return made.at(-1) as FakeSource;
  };
  const resolvers = registerResolversIn({ warn: () => {} }, { ...bareContext, createSource });
  const use = async (target: string) => {
    const channel = new Channel(target, credentials.createInsecure(), options);
    channel.getConnectivityState(true);
    await settled();
    const open = made.at(-1)?.openRuns;
    channel.close();
    await settled();
    return [made.length, open, made.at(-1)?.openRuns, resolvers.stats().length];
  };
  assert.deepEqual(await use("kubernetes:///a"), [1, 1, 0, 0]);
  assert.deepEqual(await use("kubernetes:///b"), [2, 1, 0, 0]);
  assert.deepEqual(await use("kubernetes:///a"), [3, 1, 0, 0], "the first source is not kept");
  t.after(assertNothingLeft);
});

test("a channel that comes back from idle shares with one that was made meanwhile", async (t) => {
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
  assert.deepEqual([source.runs, source.openRuns, rig.resolvers.stats()[0]?.channels], [2, 1, 2]);
});

test("a second registration is for the channels that are made after it; stats show the channels of their registration", async (t) => {
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
  const targets = () => rigs.map(({ resolvers }) => resolvers.stats().map(({ target }) => target));
  assert.deepEqual(targets(), [["kubernetes://default/first"], ["kubernetes://default/second"]]);
  first.close();
  await settled();
  assert.deepEqual(targets(), [[], ["kubernetes://default/second"]]);
  second.close();
});

for (const [where, env, mesh, looks] of [
  ["in a pod with one", { KUBERNETES_SERVICE_HOST: "10.0.0.1", KUBERNETES_SERVICE_PORT: "443" }, "Istio", 1],
  ["in a pod without one", { KUBERNETES_SERVICE_HOST: "10.0.0.1", KUBERNETES_SERVICE_PORT: "443" }, undefined, 1],
  ["elsewhere", {}, "Istio", 0],
] as const) {
  test(`a sidecar is looked for once, in a cluster only, and warned of: ${where}`, async (t) => {
    let looked = 0;
    const warnings: string[] = [];
    const findSidecar = async () => {
      looked += 1;
      return mesh;
    };
    const warn = (message: string) => warnings.push(message);
    registerResolversIn({ warn }, { env, findSidecar, createSource: () => new FakeSource() });
    for (const target of ["static:///127.0.0.1:1", "kubernetes:///a", "kubernetes:///b", "kubernetes:///a"]) {
      assert.equal(looked, target === "kubernetes:///b" ? looks : looked, "with the first channel that is used");
      const channel = new Channel(target, credentials.createInsecure(), options);
      channel.getConnectivityState(true);
      await settled();
      channel.close();
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

test("a proxy in the environment is one warning at the registration, for all schemes, without its address", async () => {
  const warnings: string[] = [];
  const warn = (message: string) => warnings.push(message);
  const env = { http_proxy: "http://user:secret@proxy.example:3128" };
  registerResolversIn({ warn }, { ...bareContext, env });
  assert.equal(warnings.length, 1);
  assert.match(
    String(warnings),
    /^http_proxy is set: grpc-js hands kubernetes:, etcd:, .*xds: targets .*"grpc\.enable_http_proxy": 0/,
  );
  assert.doesNotMatch(String(warnings), /secret|user|proxy\.example|3128/);

  registerResolversIn({ warn, warnOfProxy: false }, { ...bareContext, env });
  assert.equal(warnings.length, 1, "channels without a proxy need no warning");
});

test("an error of the resolver is published once, with the target as the user wrote it", async (t) => {
  const messages: ResolverErrorMessage[] = [];
  const listen = (message: unknown) => messages.push(message as ResolverErrorMessage);
  subscribe(resolverChannels.error, listen);
  const rig = new Rig(t);
  rig.onClose(() => void unsubscribe(resolverChannels.error, listen));
  rig.source().setError("unavailable", "away");
  assert.equal(await failure(rig.client()), "away");
  rig.source().setError("unavailable", "away");
  rig.source().setError("unavailable", "still away");
  assert.match(await failure(rig.client({}, "kubernetes:///a/b/c")), /kubernetes:/);
  assert.deepEqual(
    messages.map(({ target, error }) => [target, error.code, error.message.slice(0, 10)]),
    [
      ["kubernetes:///server.default", "unavailable", "away"],
      ["kubernetes:///server.default", "unavailable", "still away"],
      ["kubernetes:///a/b/c", "invalid", 'target "ku'],
    ],
  );
});

test("options of another type or name are refused at once", () => {
  for (const [options, message] of [
    [null, "registerResolvers: the options must be an object, got null"],
    [{ warn: "x" }, "registerResolvers: warn must be a function, got a string"],
    [
      { clock: {} },
      /^registerResolvers: unknown option clock; known options: consul, etcd, kubernetes, sources, warn, warnOfProxy, xds$/,
    ],
    [{ etcd: { credentials: { pasword: "x" } } }, /unknown option etcd\.credentials\.pasword/],
  ] as const) {
    assert.throws(() => registerResolvers(options as never), { name: "TypeError", message });
  }
});
