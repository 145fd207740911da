import assert from "node:assert/strict";
import { test } from "node:test";
import { status } from "@grpc/grpc-js";
import { ManualClock } from "@grpc-lb/core/testing";
import { LeaseService } from "@grpc-lb/protos/etcd/api/etcdserverpb";
import { RpcStatus } from "@grpc-lb/xds/channel";
import type { CallOptions, Cluster } from "./cluster.ts";
import { LeasedKey } from "./leased-key.ts";

const turns = async () => {
  for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
};

/** A key with a lease of 9 s on a cluster where `revoke` and `renew` may throw, and all else succeeds. */
async function start(revoke: () => void, renew = () => {}) {
  const clock = new ManualClock();
  const calls: string[] = [];
  const names = new Map<string, string>(Object.entries(LeaseService).map(([name, { path }]) => [path, name]));
  const cluster = {
    name: "fake",
    async call({ path }: { readonly path: string }) {
      const name = names.get(path) ?? "put";
      calls.push(name);
      if (name === "leaseRevoke") revoke();
      if (name === "leaseKeepAlive") renew();
      return { ID: 1n, TTL: 9n, error: "", header: { revision: 1n } };
    },
    stream: async (_: unknown, { signal }: CallOptions, use: (call: object) => Promise<void>) => {
      const ended = Promise.withResolvers<void>();
      signal.addEventListener("abort", () => ended.resolve());
      const batches = async function* () {
        yield [{ created: true, canceled: false, events: [], header: { revision: 1n } }];
        await ended.promise;
      };
      await use({ send() {}, end: ended.resolve, batches });
    },
  } as unknown as Cluster;
  const ending = new AbortController();
  const leased = new LeasedKey({ cluster, key: "s/1", value: "v", ttlSeconds: 9, clock });
  const held = leased.hold(() => {}, ending.signal).catch(() => {}); // some tests make it fail
  await clock.asleep();
  return {
    clock,
    calls,
    async release() {
      ending.abort();
      await held;
      calls.length = 0;
      return leased.release();
    },
  };
}

const refuse = () => {
  throw new RpcStatus(status.UNAVAILABLE, "connect ECONNREFUSED");
};

test("the lease is renewed at each third of its TTL", async () => {
  const { clock, calls, release } = await start(() => {});
  for (let count = 1; count < 4; count++) {
    clock.advance(2_999);
    await turns();
    assert.deepEqual(calls, ["leaseGrant", "put", ...Array(count - 1).fill("leaseKeepAlive")]);
    clock.advance(1);
    await clock.asleep();
  }
  await release();
  assert.equal(clock.sleeping, 0);
});

test("a failed revocation is retried until its deadline", async () => {
  let failures = 2;
  const { clock, calls, release } = await start(() => failures-- > 0 && refuse());
  const released = release();
  for (let count = 1; count < 3; count++) {
    await clock.asleep(2); // the time for all, and the pause
    assert.deepEqual(calls, Array(count).fill("leaseRevoke"));
    clock.advance(100);
    await turns();
  }
  await released;
  assert.deepEqual([calls.length, clock.sleeping], [3, 0]);
});

test("a lease that has expired by our clock is revoked all the same: a restarted etcd restarts its TTL", async () => {
  const { clock, calls, release } = await start(() => clock.now() < 20_100 && refuse(), refuse);
  clock.advance(20_000);
  await turns();
  const released = release();
  await clock.asleep(2);
  clock.advance(100);
  await released;
  assert.deepEqual(calls, ["leaseRevoke", "leaseRevoke"]);
});
