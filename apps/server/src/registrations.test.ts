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

test("a server stands in etcd with its name, zone and weight, leaves it first of all, and when killed is gone with its TTL", {
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

  const said = (text: string) => killed.server.stdout.filter((line) => line.includes(`"msg":"${text}"`)).length;
  const [lost, found] = ["not registered; trying again", "registered"];
  const before = [said(lost), said(found)] as const;
  await etcd.stop();
  await killed.server.line(() => said(lost) > before[0]);
  await etcd.start();
  await killed.server.line(() => said(found) > before[1]);

  ended.server.kill("SIGTERM");
  await ids(killed.id);
  assert.equal(
    ended.server.stdout.some((line) => line.includes('"stopped"')),
    false,
    "it serves on",
  );
  killed.server.kill("SIGKILL");
  await ids();
});

test("a server stands in Consul with its name and tags, and leaves it first of all", {
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

test("a registry that cannot be reached is said, and does not stop the server, nor its end", async (t) => {
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

test("an instance that a registry cannot take ends the server with one line and exit code 2, and is in no other", async (t) => {
  const etcd = createServer().listen(0, "127.0.0.1"); // which says nothing: a registration there goes on until it is ended
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
        'server: cannot be registered in consul at 127.0.0.1:1: metadata "version": in Consul a value must be at most 512 bytes long, got 600',
      ],
    ],
  );
});

test("a registration that was begun before another was refused is ended", async () => {
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
  const refused = registerServer({ targets, pod, ...rest, clock: systemClock, signal });
  await assert.rejects(refused, { name: "ProgramError", exitCode: 2 });
  etcd.close();
  const ends = [...sockets].map((socket) => socket.destroyed || once(socket, "close"));
  await Promise.all(ends);
  await assertNothingLeft();
});

test("a registry whose name is looked up without end does not hold up the server's end", async (t) => {
  const silent = `import dns from "node:dns"; import net from "node:net";
    const { lookup } = dns;
    dns.lookup = (name, ...rest) => net.isIP(name) && lookup(name, ...rest);`;
  const env = { NODE_OPTIONS: `--import="data:text/javascript,${encodeURIComponent(silent)}"` };
  const ports = ["--http-port", "0", "--grpc-port", "0", "--drain-delay", "0"];
  const server = startProgram(main, [...ports, "--register", "consul://registry.example:8500/server"], env);
  t.after(() => server.kill("SIGKILL"));
  await server.line((line) => line.includes('"serving"'));
  server.kill("SIGTERM");
  assert.deepEqual(await server.exited, { code: 0, signal: null });
});

test("a registry that is no target, and an address that nobody can reach, end it with one line and exit code 2", async () => {
  for (const [args, message] of [
    [
      ["--register", "zookeeper://a/b"],
      /^server: --register is refused: registration "zookeeper:\/\/a\/b": it begins with none of/,
    ],
    [["--advertise", "0.0.0.0"], /^server: --advertise must be an address that others can reach, got "0\.0\.0\.0"$/],
    [["--advertise", "a b"], /^server: --advertise must be host or host:port, an IPv6 host in brackets, got "a b"$/],
    [["--weight", "2"], /--weight is told by load reports and registries; give --load-report or --register too$/],
  ] as const) {
    const { code, stderr } = await runToEnd(main, [...free, ...args]);
    assert.deepEqual([code, stderr.length], [2, 1], stderr.join("\n"));
    assert.match(stderr[0] ?? "", message);
  }
});
