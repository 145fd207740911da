import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { assertNothingLeft } from "@grpc-lb/core/testing";
import { WatchResponse } from "@grpc-lb/protos/etcd/api/etcdserverpb";
import { FakeEtcd } from "../../testing/etcd/fake-etcd.ts";
import { SnapshotReader } from "../../testing/snapshot-reader.ts";
import { createEtcdSource } from "./index.ts";

let fake: FakeEtcd;

beforeEach(async () => {
  fake = await FakeEtcd.start();
});
afterEach(async () => {
  fake.close();
  await assertNothingLeft();
});

const options = () => ({ endpoints: [fake.endpoint], service: "s", credentials: {}, random: () => 0 });

/** Answers the first watch so, and the others as usual. */
function answerFirst(...answers: readonly Parameters<typeof WatchResponse.fromPartial>[0][]): void {
  const usual = fake.onWatch;
  fake.onWatch = (watch) => {
    fake.onWatch = usual;
    for (const answer of answers) watch.write(WatchResponse.fromPartial(answer));
  };
}

async function untilWatches(source: ReturnType<typeof createEtcdSource>, count: number): Promise<void> {
  while ((source.stats?.watches ?? 0) < count) await new Promise((resolve) => setImmediate(resolve));
}

test("a watch whose revision is compacted is no error: all is read again, and watched", async () => {
  answerFirst({ created: true }, { canceled: true, compactRevision: 9n, cancelReason: "compacted" });
  const source = createEtcdSource(options());
  const reader = new SnapshotReader(source);
  await untilWatches(source, 2);
  assert.deepEqual([source.stats?.lists, source.stats?.errors.unavailable], [2, 0]);
  assert.deepEqual([reader.snapshots.length, reader.last?.endpoints, reader.last?.error], [1, [], undefined]);
  await reader.close();
});

test("a watch that etcd ends is told by its reason, and begun anew", async () => {
  answerFirst({ created: true, canceled: true, cancelReason: "etcdserver: no leader" });
  const source = createEtcdSource(options());
  const reader = new SnapshotReader(source);
  const told = (text: string) => reader.snapshots.some(({ error }) => error?.message.endsWith(text));
  await untilWatches(source, 2);
  assert.ok(told(`etcd: watch s/ on ${fake.endpoint}: etcdserver: no leader`), JSON.stringify(reader.snapshots));
  assert.equal(source.stats?.errors.unavailable, 1);
  await reader.close();
});

test("a watch that is not permitted is told as denied", async () => {
  answerFirst({ created: true, canceled: true, cancelReason: "rpc error: etcdserver: permission denied" });
  const source = createEtcdSource(options());
  const reader = new SnapshotReader(source);
  await reader.until("an error", () => reader.snapshots.some(({ error }) => error?.code === "permissionDenied"));
  assert.equal(source.stats?.errors.permissionDenied, 1);
  await reader.close();
});

test("a watch that says nothing to a progress request is given up; while it answers, it goes on", async () => {
  let requests = 0;
  const usual = fake.onWatch;
  fake.onWatch = (watch, request) => {
    if (request.requestUnion?.$case === "progressRequest") requests += 1;
    if (requests < 4) usual(watch, request);
  };
  const source = createEtcdSource({ ...options(), progressIntervalMs: 10, answerTimeoutMs: 150 });
  const reader = new SnapshotReader(source);
  await reader.until("a set", ({ endpoints }) => endpoints !== undefined);
  while (requests < 4) {
    assert.equal(source.stats?.errors.unavailable, 0);
    await new Promise((resolve) => setImmediate(resolve));
  }
  const isGivenUp = () => reader.snapshots.some(({ error }) => error?.message.endsWith(": no answer for 150 ms"));
  await reader.until("an error", isGivenUp);
  assert.deepEqual(reader.last?.endpoints, []);
  await reader.close();
});
