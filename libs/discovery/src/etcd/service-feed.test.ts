import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { assertNothingLeft, ManualClock } from "@grpc-lb/core/testing";
import { type RangeResponse, WatchResponse } from "@grpc-lb/protos/etcd/api/etcdserverpb";
import { FakeEtcd } from "../../testing/etcd/fake-etcd.ts";
import { goValue } from "../../testing/etcd/world.ts";
import { SnapshotReader } from "../../testing/snapshot-reader.ts";
import { createEtcdSource } from "./index.ts";

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

/** From now on there are these, in a store that says so of itself. */
function hold(header: Parameters<typeof RangeResponse.fromPartial>[0]["header"], ...ns: readonly number[]): void {
  fake.onRange = () => ({ header: header ?? {}, kvs: ns.map(kv) });
}

/** Ends the watch, by default for a reason that is no failure. */
function end(reason: Parameters<typeof WatchResponse.fromPartial>[0] = { compactRevision: 1n }): void {
  watch?.write(WatchResponse.fromPartial({ canceled: true, ...reason }));
  watch = undefined;
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

async function start() {
  hold({ revision: 5n }, 1, 2, 3);
  const clock = new ManualClock();
  const options = { endpoints: [fake.endpoint], service: "s", credentials: {}, random: () => 0 };
  const source = createEtcdSource({ ...options, clock, doubtMs: 5_000 });
  const reader = new SnapshotReader(source);
  await reader.untilAddresses(...at(1, 2, 3));
  /** Resolves when all was read and is watched again, after whatever pause. */
  const watched = async () => {
    while (!watch) {
      await turn();
      clock.advance(1);
    }
  };
  await watched();
  return { clock, reader, source, watched };
}

const stores: readonly [string, () => void][] = [
  [
    "whose revision went back behind what its watch has told",
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
    "that failed, however little is missing and however far its revision is",
    () => {
      hold({ revision: 30n }, 1, 2);
      end({ cancelReason: "etcdserver: no leader" });
    },
  ],
];
for (const [what, change] of stores) {
  test(`what a store does not tell is served for a while, of one ${what}`, async () => {
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

test("what the same store does not tell any more is gone at once", async () => {
  const { reader } = await start();
  hold({ revision: 6n }, 1, 2);
  end();
  await reader.untilAddresses(...at(1, 2));
  await reader.close();
});

test("a doubt that ends while etcd is away takes nothing, and the next read begins another", async () => {
  const { clock, reader, source, watched } = await start();
  hold({ revision: 1n }, 1);
  end();
  await watched();
  fake.onRange = () => {
    throw { code: 14, details: "away" };
  };
  end({ cancelReason: "etcdserver: no leader" });
  await reader.until("an error", ({ error }) => error !== undefined);
  clock.advance(5_000); // the doubt is over, and a read fails
  while ((source.stats?.errors.unavailable ?? 0) < 2) await turn();
  assert.deepEqual(reader.addresses, at(1, 2, 3));
  hold({ revision: 2n }, 1);
  await watched();
  await reader.until("no error", ({ error }) => error === undefined);
  assert.deepEqual(reader.addresses, at(1, 2, 3));
  clock.advance(5_000);
  await reader.untilAddresses(...at(1));
  await reader.close();
});
