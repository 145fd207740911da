import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { assertNothingLeft, until } from "@grpc-lb/core/testing";
import { WatchResponse } from "@grpc-lb/protos/etcd/api/etcdserverpb";
import { sourceIn } from "../../testing/context.ts";
import { FakeEtcd } from "../../testing/etcd/fake-etcd.ts";
import { SnapshotReader } from "../../testing/snapshot-reader.ts";
import type { createEtcdSource } from "./index.ts";
import { defineEtcdSource } from "./source.ts";

let fake: FakeEtcd;

beforeEach(async () => {
  fake = await FakeEtcd.start();
});
afterEach(async () => {
  fake.close();
  await assertNothingLeft();
});

const options = () => ({ endpoints: [fake.endpoint], service: "s", credentials: {}, random: () => 0 });

/** The responses of the first watch; the others are as usual. */
function answerFirst(...answers: readonly Parameters<typeof WatchResponse.fromPartial>[0][]): void {
  const usual = fake.onWatch;
  fake.onWatch = (watch) => {
    fake.onWatch = usual;
    for (const answer of answers) watch.write(WatchResponse.fromPartial({ header: { revision: 5n }, ...answer }));
  };
}

async function untilWatches(source: ReturnType<typeof createEtcdSource>, count: number): Promise<void> {
  await until(() => source.stats.watches >= count, `${count} watches`);
}

test("a compacted revision is not an error: everything is read again, and watched", async () => {
  answerFirst({ created: true }, { canceled: true, compactRevision: 9n, cancelReason: "compacted" });
  const source = sourceIn(defineEtcdSource, options());
  const reader = new SnapshotReader(source);
  await untilWatches(source, 2);
  assert.deepEqual([source.stats.lists, source.stats.errors.unavailable], [2, 0]);
  assert.deepEqual([reader.snapshots.length, reader.last?.endpoints, reader.last?.error], [1, [], undefined]);
  await reader.close();
});

test("the reason why etcd cancels a watch is the error, and the watch is restarted", async () => {
  answerFirst({ created: true, canceled: true, cancelReason: "etcdserver: no leader" });
  const source = sourceIn(defineEtcdSource, options());
  const reader = new SnapshotReader(source);
  const hasError = (text: string) => reader.snapshots.some(({ error }) => error?.message.endsWith(text));
  await untilWatches(source, 2);
  assert.ok(hasError(`etcd: watch s/ on ${fake.endpoint}: etcdserver: no leader`), JSON.stringify(reader.snapshots));
  assert.equal(source.stats.errors.unavailable, 1);
  await reader.close();
});

test("a watch that is not permitted is an error of code permissionDenied", async () => {
  answerFirst({ created: true, canceled: true, cancelReason: "rpc error: etcdserver: permission denied" });
  const source = sourceIn(defineEtcdSource, options());
  const reader = new SnapshotReader(source);
  await reader.until("an error", () => reader.snapshots.some(({ error }) => error?.code === "permissionDenied"));
  assert.equal(source.stats.errors.permissionDenied, 1);
  await reader.close();
});

test("a watch that does not answer a progress request is ended; one that answers goes on", async () => {
  let requests = 0;
  const usual = fake.onWatch;
  fake.onWatch = (watch, request) => {
    if (request.requestUnion?.$case === "progressRequest") requests += 1;
    if (requests < 4) usual(watch, request);
  };
  const source = sourceIn(defineEtcdSource, { ...options(), progressIntervalMs: 10, answerTimeoutMs: 150 });
  const reader = new SnapshotReader(source);
  await reader.until("a set", ({ endpoints }) => endpoints !== undefined);
  await until(() => {
    assert.equal(source.stats.errors.unavailable, 0);
    return requests === 4;
  }, "4 progress requests");
  const isEnded = () => reader.snapshots.some(({ error }) => error?.message.endsWith(": no answer for 150 ms"));
  await reader.until("an error", isEnded);
  assert.deepEqual(reader.last?.endpoints, []);
  await reader.close();
});
