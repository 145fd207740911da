import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { assertNothingLeft } from "@grpc-lb/core/testing";
import { sourceIn } from "../../testing/context.ts";
import { EtcdServer, etcdIsMissing } from "../../testing/etcd/etcd-server.ts";
import { goValue } from "../../testing/etcd/world.ts";
import { SnapshotReader } from "../../testing/snapshot-reader.ts";
import { registerInEtcdIn } from "./registration.ts";
import { defineEtcdSource } from "./source.ts";

afterEach(assertNothingLeft);

const skip = etcdIsMissing ?? false;

test("of three members one may freeze and one be killed in turn: source and registration go on with another", {
  skip,
}, async (t) => {
  const members = await EtcdServer.startCluster(3);
  const [first, second, third] = members as [EtcdServer, EtcdServer, EtcdServer];
  t.after(() => Promise.all(members.map((member) => member.close())));
  const all = { endpoints: members.map(({ endpoint }) => endpoint), credentials: {} };
  const random = () => 0; // the first is used first
  const source = sourceIn(defineEtcdSource, {
    ...all,
    random,
    service: "s",
    progressIntervalMs: 200,
    answerTimeoutMs: 1_000,
  });
  const reader = new SnapshotReader(source);
  const instance = { service: "s", address: { host: "10.0.0.1", port: 80 }, ttlMs: 6_000 };
  const registration = registerInEtcdIn({ ...all, instance }, { random });
  await reader.untilAddresses("10.0.0.1:80");
  await first.untilWatches(2);

  let from = reader.snapshots.length;
  const untilMoved = async () => {
    const hasFailed = () => reader.snapshots.slice(from).some(({ error }) => error !== undefined);
    await reader.until("an error, and then none", ({ error }) => hasFailed() && error === undefined);
    from = reader.snapshots.length;
  };
  first.freeze();
  await untilMoved();
  await third.put("s/2", goValue("10.0.0.2:80"));
  await reader.untilAddresses("10.0.0.1:80", "10.0.0.2:80");
  first.thaw();

  await second.stop();
  await untilMoved();
  await third.put("s/3", goValue("10.0.0.3:80"));
  await reader.untilAddresses("10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80");
  assert.ok(
    reader.snapshots.slice(1).every(({ endpoints }) => endpoints?.some(({ id }) => id === "10.0.0.1:80") ?? false),
    "the registered instance was there all the time",
  );
  await registration.close();
  await reader.untilAddresses("10.0.0.2:80", "10.0.0.3:80");
  await reader.close();
});
