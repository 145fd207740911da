import assert from "node:assert/strict";
import { test } from "node:test";
import { ManualClock } from "@grpc-lb/core/testing";
import { FakeApiServer, SnapshotReader, slice } from "../../testing/index.ts";
import type { ApiAccess } from "./api.ts";
import type { FeedView } from "./feed-views.ts";
import { feedOf } from "./feeds.ts";
import { createKubernetesSource } from "./source.ts";

const find = (access: ApiAccess, service = "s", namespace = "default") =>
  feedOf({
    access,
    namespace,
    service,
    clock: new ManualClock(),
    random: () => 0.5,
    idleDeadlineMs: 100_000,
  });

test("a feed is the service's as long as anybody looks at it or it ends, and is forgotten then", async () => {
  const access: ApiAccess = {
    server: new URL("http://127.0.0.1:1"),
    namespace: "default",
    credentials: () => new Promise<never>(() => {}), // its loop lasts until it is ended
  };
  const view = (): FeedView => ({ onSlice() {}, onSliceGone() {}, onService() {}, onSettled() {}, isPuzzled: false });
  const views = [view(), view(), view()] as const;
  const feed = find(access);
  assert.notEqual(find(access, "other"), feed);
  assert.notEqual(find(access, "s", "other"), feed);
  assert.notEqual(find({ ...access }), feed, "an equal access is another one");
  feed.join(views[0]);
  const first = feed.leave(views[0]);
  assert.equal(find(access), feed, "while it ends");
  feed.join(views[1]);
  await first;
  assert.equal(find(access), feed, "looked at again");
  const second = feed.leave(views[1]);
  feed.join(views[2]);
  const third = feed.leave(views[2]);
  await second;
  await third;
  assert.notEqual(find(access), feed, "left by everybody");
});

test("the stats outlive the watch; one that begins after everybody has left counts anew", async (t) => {
  const api = await FakeApiServer.start();
  t.after(() => api.close());
  api.putSlice(slice({ service: "s", addresses: ["10.0.0.1"] }));
  const source = createKubernetesSource({ service: "s", access: api.access });
  for (let n = 0; n < 2; n++) {
    const reader = new SnapshotReader(source);
    await reader.untilAddresses("10.0.0.1:50051");
    await reader.close();
    assert.deepEqual([source.stats?.lists, source.stats?.lastSyncAgeMs], [1, undefined]);
  }
});
