import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { assertNothingLeft, ManualClock, until } from "@grpc-lb/core/testing";
import { type RangeResponse, WatchResponse } from "@grpc-lb/protos/etcd/api/etcdserverpb";
import { sourceIn } from "../../testing/context.ts";
import { FakeEtcd } from "../../testing/etcd/fake-etcd.ts";
import { goValue } from "../../testing/etcd/world.ts";
import { SnapshotReader } from "../../testing/snapshot-reader.ts";
import { defineEtcdSource } from "./source.ts";

type Watch = Parameters<FakeEtcd["onWatch"]>[0];

let fake: FakeEtcd;
let watch: Watch | undefined;

beforeEach(async () => {
  watch = undefined;
  fake = await FakeEtcd.start();
  const usual = fake.onWatch;
  fake.onWatch = (next, request) => {
    watch = next;
    usual(next, request);
  };
});
afterEach(async () => {
  fake.close();
  await assertNothingLeft();
});

const at = (...ns: readonly number[]) => ns.map((n) => `10.0.0.${n}:80`);
const kv = (n: number) => ({ key: Buffer.from(`s/${n}`), value: Buffer.from(goValue(`10.0.0.${n}:80`)) });

/** The keys of the store from now on, and its header. */
function hold(header: Parameters<typeof RangeResponse.fromPartial>[0]["header"], ...ns: readonly number[]): void {
  fake.onRange = () => ({ header: header ?? {}, kvs: ns.map(kv) });
}

/** Cancels the watch, by default for a compaction, which is not a failure. */
function end(reason: Parameters<typeof WatchResponse.fromPartial>[0] = { compactRevision: 1n }): void {
  watch?.write(WatchResponse.fromPartial({ canceled: true, header: { revision: 5n }, ...reason }));
  watch = undefined;
}

async function start() {
  hold({ revision: 5n }, 1, 2, 3);
  const clock = new ManualClock();
  const options = { endpoints: [fake.endpoint], service: "s", credentials: {}, random: () => 0 };
  const source = sourceIn(defineEtcdSource, { ...options, clock, missingGraceMs: 5_000 });
  const reader = new SnapshotReader(source);
  await reader.untilAddresses(...at(1, 2, 3));
  /** Resolves when everything was read and is watched again, after a backoff of 0 ms. */
  const watched = () =>
    until(() => {
      clock.advance(0);
      return watch !== undefined;
    }, "a watch");
  await watched();
  return { clock, reader, source, watched };
}

const stores: readonly [string, () => void][] = [
  [
    "whose revision is older than that of the last watch response",
    () => {
      watch?.write(WatchResponse.fromPartial({ header: { revision: 21n } }));
      hold({ revision: 17n }, 1, 2);
      end();
    },
  ],
  [
    "of another cluster",
    () => {
      hold({ revision: 30n, clusterId: 7n }, 1, 2);
      end();
    },
  ],
  [
    "after a failure, whatever its revision",
    () => {
      hold({ revision: 30n }, 1, 2);
      end({ cancelReason: "etcdserver: no leader" });
    },
  ],
];
for (const [what, change] of stores) {
  test(`keys that are missing are served for the grace period in a store ${what}`, async () => {
    const { clock, reader, watched } = await start();
    change();
    await watched();
    await reader.until("no error", ({ error }) => error === undefined);
    assert.deepEqual(reader.addresses, at(1, 2, 3));
    clock.advance(5_000);
    await reader.untilAddresses(...at(1, 2));
    assert.ok(reader.snapshots.slice(0, -1).every(({ endpoints }) => endpoints?.length === 3));
    await reader.close();
  });
}

test("an unreadable value that is missing is not reported any more, while the missing endpoints are served", async () => {
  const { reader, watched } = await start();
  const unreadable = { key: Buffer.from("s/4"), value: Buffer.from("garbage") };
  fake.onRange = () => ({ header: { revision: 6n }, kvs: [...[1, 2, 3].map(kv), unreadable] });
  end();
  await reader.until("a problem", ({ error }) => error?.code === "invalid");
  await watched();
  hold({ revision: 2n }, 1, 2);
  end();
  await watched();
  await reader.until("no error", ({ error }) => error === undefined);
  assert.deepEqual(reader.addresses, at(1, 2, 3));
  await reader.close();
});

test("keys that are missing in the same store are removed at once", async () => {
  const { reader } = await start();
  hold({ revision: 6n }, 1, 2);
  end();
  await reader.untilAddresses(...at(1, 2));
  await reader.close();
});

test("a grace period that ends while etcd is away removes nothing, and the next read begins another", async () => {
  const { clock, reader, source, watched } = await start();
  hold({ revision: 1n }, 1);
  end();
  await watched();
  fake.onRange = () => {
    throw { code: 14, details: "away" };
  };
  end({ cancelReason: "etcdserver: no leader" });
  await reader.until("an error", ({ error }) => error !== undefined);
  clock.advance(5_000); // the grace period is over, and a read fails
  await until(() => {
    clock.advance(0);
    return source.stats.errors.unavailable >= 2;
  }, "a second failure");
  assert.deepEqual(reader.addresses, at(1, 2, 3));
  hold({ revision: 2n }, 1);
  await watched();
  await reader.until("no error", ({ error }) => error === undefined);
  assert.deepEqual(reader.addresses, at(1, 2, 3));
  clock.advance(5_000);
  await reader.untilAddresses(...at(1));
  await reader.close();
});
