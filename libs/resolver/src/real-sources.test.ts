import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { type ChannelOptions, credentials } from "@grpc/grpc-js";
import { assertNothingLeft, closedPort, ManualClock, until } from "@grpc-lb/core/testing";
import type { SourceOptions } from "@grpc-lb/discovery";
import { FakeApiServer, FakeDnsServer, slice } from "@grpc-lb/discovery/testing";
import { createSourceIn } from "@grpc-lb/discovery/testing/context";
import { runToEnd } from "@grpc-lb/program/testing";
import { PodServiceClient } from "@grpc-lb/protos/pod/v1";
import { PodServer } from "../testing/pod-server.ts";
import { bareContext, call, failure, type PodClient, spread, untilCall, untilSpread } from "../testing/rig.ts";
import { type ResolversOptions, resolverChannels, type SnapshotMessage } from "./index.ts";
import { registerResolversIn } from "./resolvers.ts";

/** All schemes, over real sources and servers, which end with the test; nothing may be left. */
async function start(t: TestContext, names: readonly string[], options: ResolversOptions = {}) {
  const clock = new ManualClock();
  const warnings: string[] = [];
  const warn = (message: string) => warnings.push(message);
  const createSource = (target: string, given: SourceOptions) => createSourceIn(target, given, { clock });
  const resolvers = registerResolversIn({ warn, ...options }, { ...bareContext, clock, createSource });
  const pods = await Promise.all(names.map((name) => PodServer.start(name)));
  const clients: PodClient[] = [];
  const closers: (() => unknown)[] = [];
  t.after(async () => {
    for (const client of clients) client.close();
    await until(() => resolvers.stats().length === 0, "no target in use");
    for (const pod of pods) pod.kill();
    for (const close of closers) await close();
    await assertNothingLeft();
  });
  return {
    clock,
    pods,
    resolvers,
    warnings,
    onClose: (close: () => unknown) => void closers.push(close),
    client(target: string, more: ChannelOptions = {}) {
      const separate = { "grpc.use_local_subchannel_pool": 1, "grpc.enable_http_proxy": 0 };
      const client = new PodServiceClient(target, credentials.createInsecure(), { ...separate, ...more });
      clients.push(client);
      return client as PodClient;
    },
    /** Moves the clock until the condition holds. */
    until: (condition: () => boolean, what: string, stepMs = 10) =>
      until(() => {
        if (condition()) return true;
        clock.advance(stepMs);
        return false;
      }, what),
  };
}

const at = ({ port }: PodServer) => `127.0.0.1:${port}`;

test("static: calls go to each address in turn, their weights reach the channel, and stats show it", async (t) => {
  const { pods, client, resolvers } = await start(t, ["a", "b"]);
  const seen: SnapshotMessage[] = [];
  const listen = (message: unknown) => seen.push(message as SnapshotMessage);
  subscribe(resolverChannels.snapshot, listen);
  t.after(() => void unsubscribe(resolverChannels.snapshot, listen));
  const target = `static:///${pods.map(at)}?weights=3,1`;
  const one = client(target);
  await untilSpread(one, ...pods);
  assert.deepEqual(await spread(one, 10), { a: 5, b: 5 });
  assert.equal(pods[0]?.calls[0]?.getHost(), at(pods[0] as PodServer));
  await call(client(target));
  const stats = resolvers.stats();
  const want = { scheme: "static", target, channels: 2, endpoints: 2, error: undefined, lists: 0 };
  assert.equal(stats.length, 1);
  assert.partialDeepStrictEqual(stats[0], want);
  assert.deepEqual(
    seen[0]?.snapshot.endpoints?.map(({ weight }) => weight),
    [3, 1],
    "the parameters count",
  );
});

test("file: the next calls follow a change on disk; a broken file changes nothing", async (t) => {
  const { pods, client, resolvers, until, onClose, warnings } = await start(t, ["a", "b"]);
  const folder = mkdtempSync(join(tmpdir(), "grpc-lb-resolver-"));
  onClose(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "server.yaml");
  const write = (text: string) => {
    writeFileSync(`${path}.new`, text);
    renameSync(`${path}.new`, path);
  };
  const [a, b] = pods as [PodServer, PodServer];
  const one = client(`file://${path}`);
  assert.equal(await failure(one), `file: read ${path}: no such file`);
  write(`- address: ${at(a)}\n`);
  await until(() => resolvers.stats()[0]?.endpoints === 1, "one endpoint");
  assert.deepEqual(await spread(one, 3), { a: 3 });
  assert.equal(a.calls[0]?.getHost(), "server");
  write(`endpoints: [{ address: "${at(b)}" }]\nserviceConfig: { loadBalancingConfig: [{ pick_first: {} }] }\n`);
  await until(() => resolvers.stats()[0]?.lists === 3 && resolvers.stats()[0]?.error === undefined, "a third read");
  await untilCall(
    one,
    (name) => name === "b",
    () => "an answer of b",
  );
  write("endpoints: [");
  await until(() => resolvers.stats()[0]?.error !== undefined, "an error");
  assert.match(resolvers.stats()[0]?.error ?? "", /server\.yaml:1: not valid YAML: Flow sequence/);
  assert.deepEqual(await spread(one, 3), { b: 3 });
  write(`endpoints: [{ address: "${at(b)}" }]\nserviceConfig: { methodConfig: [{ name: [{}], timeout: soon }] }\n`);
  await until(() => warnings.length > 0, "a warning");
  assert.match(String(warnings), /^file .*server\.yaml: its service config is ignored: .*timeout/);
  write("[]");
  await until(() => resolvers.stats()[0]?.endpoints === 0, "no endpoints");
  assert.equal(await failure(one), `file ${path} has no ready endpoints`);
});

test("dns-poll: calls follow the records, and go on while the name server is away", async (t) => {
  const { pods, client, resolvers, until, onClose, clock } = await start(t, ["a", "b"]);
  const dns = await FakeDnsServer.start();
  onClose(() => dns.close());
  const set = (...targets: readonly PodServer[]) => {
    const SRV = targets.map(({ port, name }) => ({ target: `${name}.example`, priority: 0, weight: 1, port }));
    dns.set("_grpc._tcp.server.example", { SRV });
  };
  for (const { name } of pods) dns.set(`${name}.example`, { A: ["127.0.0.1"], ttlSeconds: 5 });
  const [a, b] = pods as [PodServer, PodServer];
  set(a);
  const target = `dns-poll://127.0.0.1:${dns.address.port}/server.example:grpc?refresh=10s`;
  const one = client(target);
  assert.equal(await call(one), "a");
  assert.equal(a.calls[0]?.getHost(), "server.example");
  set(a, b);
  assert.equal(resolvers.stats()[0]?.lists, 1);
  await until(() => resolvers.stats()[0]?.endpoints === 2, "two endpoints", 500);
  await untilSpread(one, a, b);
  assert.deepEqual(await spread(one, 10), { a: 5, b: 5 });
  dns.fault = { t: "code", code: "SERVFAIL" };
  await until(() => resolvers.stats()[0]?.error !== undefined, "an error", 500);
  assert.deepEqual(await spread(one, 10), { a: 5, b: 5 });
  dns.fault = undefined;
  dns.delete("_grpc._tcp.server.example");
  await until(() => resolvers.stats()[0]?.endpoints === 0, "no endpoints", 500);
  clock.advance(1_000);
  assert.equal(await failure(one), "dns-poll: query _grpc._tcp.server.example: NXDOMAIN: there is no such name");
});

test("kubernetes: is one of them, with its own options", async (t) => {
  const api = await FakeApiServer.start();
  const { pods, client, resolvers, onClose } = await start(t, ["a"], { kubernetes: { access: api.access } });
  onClose(() => api.close());
  const [{ port }] = pods as [PodServer];
  const ports = [{ name: "grpc", port, protocol: "TCP" as const }];
  api.putSlice(slice({ service: "server", addresses: ["127.0.0.1"], ports }));
  assert.equal(await call(client("kubernetes:///server.default:grpc")), "a");
  assert.partialDeepStrictEqual(resolvers.stats(), [
    { scheme: "kubernetes", target: "kubernetes:///server.default:grpc", lists: 1 },
  ]);
});

for (const scheme of ["etcd", "consul"] as const) {
  test(`${scheme}: calls fail at once with the source's error when the registry is unreachable`, async (t) => {
    const { client } = await start(t, []);
    const port = await closedPort();
    const message = await failure(client(`${scheme}://127.0.0.1:${port}/server`));
    assert.match(message, new RegExp(`^${scheme}: .*127\\.0\\.0\\.1:${port}`));
  });
}

test("after idle a channel has the endpoints of that time, not those of before", async (t) => {
  const { pods, client, resolvers, onClose } = await start(t, ["a", "b"]);
  const folder = mkdtempSync(join(tmpdir(), "grpc-lb-resolver-"));
  onClose(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "server.json");
  const [a, b] = pods as [PodServer, PodServer];
  writeFileSync(path, JSON.stringify([{ address: at(a) }]));
  const one = client(`file://${path}`, { "grpc.client_idle_timeout_ms": 1_000 });
  assert.equal(await call(one), "a");
  await until(() => resolvers.stats().length === 0, "the channel is idle");
  writeFileSync(path, JSON.stringify([{ address: at(b) }]));
  assert.equal(await call(one), "b");
});

test("a target that is not valid fails each call with the error of parseTarget", async (t) => {
  const { client, resolvers } = await start(t, []);
  for (const [target, want] of [
    [
      "static:///127.0.0.1:1?weigths=1",
      /^target "static:\/\/\/127\.0\.0\.1:1\?weigths=…": unknown parameter "weigths"; there are weights; expected static:/,
    ],
    ["file:///e.yaml?poll=1s", /unknown parameter "poll"; file: has none/],
    ["dns-poll:///server.example:80?refresh=5", /refresh must be a duration/],
    ["consul://c/server?token=secret", /^target "consul:\/\/c\/server\?token=…": unknown parameter "token"/],
    ["etcd://me:secret@a/server", /^target "etcd:\/\/…@a\/server": it must not carry a user or a password/],
  ] as const) {
    const one = client(target);
    for (let n = 0; n < 2; n++) assert.match(await failure(one), want);
  }
  assert.deepEqual(resolvers.stats(), []);
});

test("the registration loads no source, and a channel loads that of its scheme alone", async () => {
  const { code, stdout, stderr } = await runToEnd(
    new URL("../testing/programs/import.ts", import.meta.url).pathname,
    [],
  );
  assert.deepEqual([code, stdout], [0, ["by the registration: ", "by a channel: static"]], stderr.join("\n"));
});
