import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { type ChannelOptions, credentials } from "@grpc/grpc-js";
import { assertNothingLeft, closedPort, ManualClock } from "@grpc-lb/core/testing";
import { parseTarget } from "@grpc-lb/discovery";
import { FakeApiServer, FakeDnsServer, slice } from "@grpc-lb/discovery/testing";
import { runToEnd } from "@grpc-lb/program/testing";
import { PodServiceClient } from "@grpc-lb/protos/pod/v1";
import { PodServer } from "../testing/pod-server.ts";
import { call, failure, type PodClient, settled, spread, untilSpread } from "../testing/rig.ts";
import { type ResolverMessage, type ResolversOptions, resolverChannelName } from "./index.ts";
import { registerResolversIn } from "./resolvers.ts";
import { schemes } from "./schemes.ts";

/** All schemes, over real sources and servers; with the test's end all of it is ended, and nothing may be left. */
async function start(t: TestContext, names: readonly string[], options: ResolversOptions = {}) {
  const clock = new ManualClock();
  const warnings: string[] = [];
  const warn = (message: string) => warnings.push(message);
  const resolvers = registerResolversIn({ clock, warn, ...options }, {});
  const pods = await Promise.all(names.map((name) => PodServer.start(name)));
  const clients: PodClient[] = [];
  const closers: (() => unknown)[] = [];
  t.after(async () => {
    for (const client of clients) client.close();
    while (resolvers.stats().length > 0) await settled();
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
      const apart = { "grpc.use_local_subchannel_pool": 1, "grpc.enable_http_proxy": 0 };
      const client = new PodServiceClient(target, credentials.createInsecure(), { ...apart, ...more });
      clients.push(client);
      return client as PodClient;
    },
    /** Moves the clock until it is so. */
    async until(isSo: () => boolean, stepMs = 10) {
      while (!isSo()) {
        clock.advance(stepMs);
        await settled();
      }
    },
  };
}

const at = ({ port }: PodServer) => `127.0.0.1:${port}`;

test("row 14: the authority of each scheme is a valid host, with the port only when it is a number", () => {
  for (const [text, want] of [
    ["etcd://a:2379,b/server", "server"],
    ["etcd://a/team/server", "server"],
    ["consul://c:8500/web%20shop?tag=v1", "web-shop"],
    ["dns-poll:///server.example:80", "server.example:80"],
    ["dns-poll:///server.example.:grpc?refresh=5s", "server.example"],
    ["static:///10.0.0.1:80,b:1?weights=1,2", "10.0.0.1:80"],
    ["static:///[::1]:80", "[::1]:80"],
    ["file:///etc/backends.v2.yaml", "backends.v2"],
  ] as const) {
    const target = parseTarget(text);
    assert.ok(target.t !== "kubernetes");
    const { authorityOf } = schemes[target.t] as { authorityOf(of: typeof target): string };
    assert.equal(authorityOf(target), want, text);
    assert.ok(URL.canParse(`http://${want}`), want);
  }
});

test("static: calls go round the addresses, their weights come along, and stats show it", async (t) => {
  const { pods, client, resolvers } = await start(t, ["a", "b"]);
  const seen: ResolverMessage[] = [];
  const listen = (message: unknown) => seen.push(message as ResolverMessage);
  subscribe(resolverChannelName, listen);
  t.after(() => void unsubscribe(resolverChannelName, listen));
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
    "the query string comes along",
  );
});

test("file: what changes on disk is where the next calls go; a broken file changes nothing", async (t) => {
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
  assert.equal(await failure(one), `file: read ${path}: there is no such file`);
  write(`- address: ${at(a)}\n`);
  await until(() => resolvers.stats()[0]?.endpoints === 1);
  assert.deepEqual(await spread(one, 3), { a: 3 });
  assert.equal(a.calls[0]?.getHost(), "server");
  write(`endpoints: [{ address: "${at(b)}" }]\nserviceConfig: { loadBalancingConfig: [{ pick_first: {} }] }\n`);
  await until(() => resolvers.stats()[0]?.lists === 3 && resolvers.stats()[0]?.error === undefined);
  while ((await call(one)) !== "b");
  write("endpoints: [");
  await until(() => resolvers.stats()[0]?.error !== undefined);
  assert.match(resolvers.stats()[0]?.error ?? "", /server\.yaml:1: Flow sequence/);
  assert.deepEqual(await spread(one, 3), { b: 3 });
  write(`endpoints: [{ address: "${at(b)}" }]\nserviceConfig: { methodConfig: [{ name: [{}], timeout: soon }] }\n`);
  await until(() => warnings.length > 0);
  assert.match(String(warnings), /^file .*server\.yaml: its service config is ignored: .*timeout/);
  write("[]");
  await until(() => resolvers.stats()[0]?.endpoints === 0);
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
  const looks = () => resolvers.stats()[0]?.lists ?? 0;
  assert.equal(looks(), 1);
  await until(() => resolvers.stats()[0]?.endpoints === 2, 500);
  await untilSpread(one, a, b);
  assert.deepEqual(await spread(one, 10), { a: 5, b: 5 });
  dns.fault = { t: "code", code: "SERVFAIL" };
  await until(() => resolvers.stats()[0]?.error !== undefined, 500);
  assert.deepEqual(await spread(one, 10), { a: 5, b: 5 });
  dns.fault = undefined;
  dns.delete("_grpc._tcp.server.example");
  await until(() => resolvers.stats()[0]?.endpoints === 0, 500);
  clock.advance(1_000);
  assert.equal(await failure(one), "dns-poll: ask for _grpc._tcp.server.example: NXDOMAIN: there is no such name");
});

test("kubernetes: is one of them, with its own options", async (t) => {
  const api = await FakeApiServer.start();
  const { pods, client, resolvers, onClose } = await start(t, ["a"], { kubernetes: { access: api.access } });
  onClose(() => api.close());
  const [{ port }] = pods as [PodServer];
  const ports = [{ name: "grpc", port, protocol: "TCP" as const }];
  api.putSlice(slice({ service: "server", addresses: ["127.0.0.1"], ports }));
  assert.equal(await call(client("kubernetes:///server.default:grpc")), "a");
  assert.partialDeepStrictEqual(resolvers.stats(), [{ scheme: "kubernetes", target: "default/server:grpc", lists: 1 }]);
});

for (const scheme of ["etcd", "consul"] as const) {
  test(`${scheme}: a registry that nobody can reach fails calls at once, in its source's words`, async (t) => {
    const { client } = await start(t, []);
    const port = await closedPort();
    const message = await failure(client(`${scheme}://127.0.0.1:${port}/server`));
    assert.match(message, new RegExp(`^${scheme}: .*127\\.0\\.0\\.1:${port}`));
  });
}

test("row 27: after idle a channel is told what is true then, and not what was", async (t) => {
  const { pods, client, resolvers, onClose } = await start(t, ["a", "b"]);
  const folder = mkdtempSync(join(tmpdir(), "grpc-lb-resolver-"));
  onClose(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "server.json");
  const [a, b] = pods as [PodServer, PodServer];
  writeFileSync(path, JSON.stringify([{ address: at(a) }]));
  const one = client(`file://${path}`, { "grpc.client_idle_timeout_ms": 1_000 });
  assert.equal(await call(one), "a");
  while (resolvers.stats().length > 0) await settled();
  writeFileSync(path, JSON.stringify([{ address: at(b) }]));
  assert.equal(await call(one), "b");
});

test("a target that is wrong fails each call with the words of parseTarget", async (t) => {
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

test("a proxy in the environment is said once, for all schemes", () => {
  const warnings: string[] = [];
  const warn = (message: string) => warnings.push(message);
  const env = { https_proxy: "http://proxy.example:3128" };
  registerResolversIn({ warn }, env);
  assert.equal(warnings.length, 1);
  assert.match(String(warnings), /^https_proxy is set: grpc-js hands kubernetes:, etcd:, .*file: targets/);
  registerResolversIn({ warn, isProxyDisabled: true }, env);
  assert.equal(warnings.length, 1);
});

test("the registration loads no source, and a channel that of its scheme alone", async () => {
  const { code, stdout, stderr } = await runToEnd(
    new URL("../testing/programs/import.ts", import.meta.url).pathname,
    [],
  );
  assert.deepEqual([code, stdout], [0, ["by the registration: ", "by a channel: static"]], stderr.join("\n"));
});
