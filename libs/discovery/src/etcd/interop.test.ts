import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { promisify } from "node:util";
import { EtcdServer, etcdIsMissing } from "../../testing/etcd/etcd-server.ts";
import { buildGoEndpoints, goIsMissing } from "../../testing/etcd/go-program.ts";
import { sourceOf } from "../../testing/etcd/world.ts";
import { SnapshotReader } from "../../testing/snapshot-reader.ts";
import { registerInEtcd } from "./index.ts";

test("etcd's Go client sees what we register, and we see what it registers", {
  skip: etcdIsMissing ?? goIsMissing ?? false,
}, async (t) => {
  const program = await buildGoEndpoints();
  if (typeof program === "string") return t.skip(program);
  t.after(program.remove);
  const server = await EtcdServer.start();
  t.after(() => server.close());
  const reader = new SnapshotReader(sourceOf(server, "server"));
  t.after(() => reader.close());

  const go = spawn(program.path, [server.endpoint, "server", "add", "10.0.0.1:80", '{"weight":3,"zone":"a"}']);
  t.after(() => go.kill("SIGKILL"));
  const { endpoints } = await reader.untilAddresses("10.0.0.1:80");
  assert.deepEqual(
    endpoints?.map(({ id, weight, zone }) => [id, weight, zone]),
    [["10.0.0.1:80", 3, "a"]],
  );
  const instance = {
    service: "server",
    address: { host: "fd00::1", port: 81 },
    weight: 2,
    metadata: { version: "v1" },
  };
  const registration = registerInEtcd({ endpoints: [server.endpoint], credentials: {}, instance });
  await registration.registered;
  const { stdout } = await promisify(execFile)(program.path, [server.endpoint, "server", "list"]);
  assert.deepEqual(JSON.parse(stdout), {
    "server/10.0.0.1:80": { Addr: "10.0.0.1:80", Metadata: { weight: 3, zone: "a" } },
    "server/[fd00::1]:81": { Addr: "[fd00::1]:81", Metadata: { weight: 2, version: "v1" } },
  });
  const exited = once(go, "exit");
  go.stdin.end();
  assert.deepEqual(await exited, [0, null]);
  await reader.untilAddresses("fd00::1:81");
  await registration.close();
  await reader.untilAddresses();
});
