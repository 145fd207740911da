import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { test } from "node:test";
import { systemClock } from "@grpc-lb/core";
import { assertNothingLeft } from "@grpc-lb/core/testing";
import { createConsulSource } from "@grpc-lb/discovery/consul";
import { createEtcdSource } from "@grpc-lb/discovery/etcd";
import { parseRegistrationTarget } from "@grpc-lb/discovery/registration";
import { SnapshotReader } from "@grpc-lb/discovery/testing";
import { RealConsulAgent, whyNoConsul } from "@grpc-lb/discovery/testing/consul";
import { EtcdServer, etcdIsMissing } from "@grpc-lb/discovery/testing/etcd";
import { runToEnd, startProgram } from "@grpc-lb/program/testing";
import { Pod } from "@grpc-lb/protos/pod/v1";
import { registerServer } from "./registrations.ts";

const main = `${import.meta.dirname}/main.ts`;
const free = ["--http-port", "0", "--grpc-port", "0", "--bind-address", "127.0.0.1"];
const consulIsMissing = await whyNoConsul();

async function startServer(name: string, ...args: readonly string[]) {
  const server = startProgram(main, [...free, "--pod-name", name, ...args]);
  const { grpcPort } = JSON.parse(await server.line((line) => line.includes('"serving"')));
  return { server, id: `127.0.0.1:${grpcPort}` };
}

test("a server registers in etcd with name, zone and weight; SIGTERM deregisters it first; a killed one expires with its TTL", {
  skip: etcdIsMissing ?? false,
}, async (t) => {
  const etcd = await EtcdServer.start();
  t.after(() => etcd.close());
  const reader = new SnapshotReader(
    createEtcdSource({ endpoints: [etcd.endpoint], service: "server", credentials: {} }),
  );
  t.after(() => reader.close());
  const register = ["--register", `etcd://${etcd.endpoint}/server?ttl=2s`];
  const ended = await startServer("ended", ...register, "--zone", "a", "--weight", "3", "--drain-delay", "60s");
  const killed = await startServer("killed", ...register);
  t.after(() => {
    for (const { server } of [ended, killed]) server.kill("SIGKILL");
  });
  const ids = async (...wanted: readonly string[]) => {
    const isThere = (found: readonly string[]) => [...wanted].sort().join() === [...found].sort().join();
    const snapshot = await reader.until(wanted.join(), ({ endpoints }) =>
      isThere((endpoints ?? []).map(({ id }) => id)),
    );
    return snapshot.endpoints ?? [];
  };
  const [first] = (await ids(ended.id, killed.id)).filter(({ id }) => id === ended.id);
  assert.deepEqual([first?.weight, first?.zone, first?.metadata.podName], [3, "a", "ended"]);

  const count = (text: string) => killed.server.stdout.filter((line) => line.includes(`"msg":"${text}"`)).length;
  const [lost, found] = ["not registered; trying again", "registered"];
  const before = [count(lost), count(found)] as const;
  await etcd.stop();
  await killed.server.line(() => count(lost) > before[0]);
  await reader.until("an error", ({ error }) => error !== undefined);
  await etcd.start();
  await killed.server.line(() => count(found) > before[1]);
  // A key that is gone when the source reads again after an outage stays for a grace period: etcd may have lost it.
  await reader.until("no error", ({ error }) => error === undefined);

  ended.server.kill("SIGTERM");
  await ids(killed.id);
  assert.equal(
    ended.server.stdout.some((line) => line.includes('"stopped"')),
    false,
    "it still serves",
  );
  killed.server.kill("SIGKILL");
  await ids();
});

test("a server registers in Consul with name and tags, and SIGTERM deregisters it first", {
  skip: consulIsMissing ?? false,
}, async (t) => {
  const agent = await RealConsulAgent.start();
  t.after(() => agent.close());
  const source = createConsulSource({ agent: agent.address, service: "server", tags: ["v1"], credentials: {} });
  const reader = new SnapshotReader(source);
  t.after(() => reader.close());
  const { host, port } = agent.address;
  const { server } = await startServer(
    "a",
    "--register",
    `consul://${host}:${port}/server?ttl=5s&tag=v1`,
    "--drain-delay",
    "60s",
  );
  t.after(() => server.kill("SIGKILL"));
  const { endpoints } = await reader.until("one", (snapshot) => snapshot.endpoints?.length === 1);
  assert.equal(endpoints?.[0]?.metadata.podName, "a");
  server.kill("SIGTERM");
  await reader.until("none", (snapshot) => snapshot.endpoints?.length === 0);
});

test("an unreachable registry is a warning, and delays neither the server nor its end", async (t) => {
  const { server } = await startServer("a", "--register", "etcd://127.0.0.1:1/server", "--drain-delay", "0");
  t.after(() => server.kill("SIGKILL"));
  const line = await server.line((text) => text.includes('"level":"warn"'));
  assert.match(
    line,
    /"etcd: grant a lease for server\/127\.0\.0\.1:\d+ on 127\.0\.0\.1:1: connect ECONNREFUSED".*"not registered; trying again"/,
  );
  server.kill("SIGTERM");
  assert.deepEqual(await server.exited, { code: 0, signal: null });
});

test("a server that a registry does not accept exits 2 with one line, and is registered in no other", async (t) => {
  const etcd = createServer().listen(0, "127.0.0.1"); // it never answers, so the registration is pending until it is closed
  await once(etcd, "listening");
  t.after(() => etcd.close());
  const { port } = etcd.address() as AddressInfo;
  const register = ["--register", `etcd://127.0.0.1:${port}/server`, "--register", "consul://127.0.0.1:1/server"];
  const { code, stderr } = await runToEnd(main, [...free, ...register], { APP_VERSION: "v".repeat(600) });
  assert.deepEqual(
    [code, stderr],
    [
      2,
      [
        'server: cannot register in consul at 127.0.0.1:1: metadata "version": in Consul a value must be at most 512 bytes long, got 600',
      ],
    ],
  );
});

test("a registration that started before another failed is closed", async () => {
  const sockets = new Set<Socket>();
  const etcd = createServer((socket) => sockets.add(socket.resume())).listen(0, "127.0.0.1");
  await once(etcd, "listening");
  const { port } = etcd.address() as AddressInfo;
  const targets = [`etcd://127.0.0.1:${port}/server`, "consul://127.0.0.1:1/server"].map((text) =>
    parseRegistrationTarget(text),
  );
  const pod = Pod.fromPartial({ version: "v".repeat(600) });
  const rest = {
    weight: 1,
    advertise: { host: "10.0.0.1" },
    bindAddress: "",
    port: 80,
    onError: () => {},
    onRegistered: () => {},
  };
  const { signal } = new AbortController();
  const failed = registerServer({ targets, pod, ...rest, clock: systemClock, signal });
  await assert.rejects(failed, { name: "ProgramError", exitCode: 2 });
  etcd.close();
  const ends = [...sockets].map((socket) => socket.destroyed || once(socket, "close"));
  await Promise.all(ends);
  await assertNothingLeft();
});

test("an endless lookup of a registry's name does not delay the server's end", async (t) => {
  const neverResolves = `import dns from "node:dns"; import net from "node:net";
    const { lookup } = dns;
    dns.lookup = (name, ...rest) => net.isIP(name) && lookup(name, ...rest);`;
  const env = { NODE_OPTIONS: `--import="data:text/javascript,${encodeURIComponent(neverResolves)}"` };
  const ports = ["--http-port", "0", "--grpc-port", "0", "--drain-delay", "0"];
  const server = startProgram(main, [...ports, "--register", "consul://registry.example:8500/server"], env);
  t.after(() => server.kill("SIGKILL"));
  await server.line((line) => line.includes('"serving"'));
  server.kill("SIGTERM");
  assert.deepEqual(await server.exited, { code: 0, signal: null });
});

test("a target without a known scheme, and an address that cannot be reached, exit 2 with one line", async () => {
  for (const [args, message] of [
    [
      ["--register", "zookeeper://a/b"],
      /^server: --register is invalid: registration "zookeeper:\/\/a\/…": it begins with none of/,
    ],
    [["--advertise", "0.0.0.0"], /^server: --advertise must be an address that others can reach, got "0\.0\.0\.0"$/],
    [["--advertise", "a b"], /^server: --advertise must be host or host:port, an IPv6 host in brackets, got "a…"$/],
    [["--weight", "2"], /--weight has no effect without --load-report or --register$/],
  ] as const) {
    const { code, stderr } = await runToEnd(main, [...free, ...args]);
    assert.deepEqual([code, stderr.length], [2, 1], stderr.join("\n"));
    assert.match(stderr[0] ?? "", message);
  }
});
