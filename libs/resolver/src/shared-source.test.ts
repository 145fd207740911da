import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { assertNothingLeft, ManualClock } from "@grpc-lb/core/testing";
import type { Snapshot } from "@grpc-lb/discovery";
import { endpointAt, FakeSource } from "../testing/fake-source.ts";
import { settled } from "../testing/rig.ts";
import { SharedSource } from "./shared-source.ts";

function share(t: { after(end: () => Promise<void>): void }) {
  const clock = new ManualClock();
  const source = new FakeSource();
  const shared = new SharedSource(source, { clock, random: () => 1 });
  const subscribed = new Set<(snapshot: Snapshot) => void>();
  t.after(async () => {
    for (const listener of subscribed) await shared.unsubscribe(listener);
    assert.deepEqual([source.openWatches, clock.sleeping, shared.subscribers], [0, 0, 0]);
    await assertNothingLeft();
  });
  /** Subscribes, and notes what it is told: ids of endpoints, and the error. */
  const listen = (told: string[] = [], then: (snapshot: Snapshot) => void = () => {}) => {
    const listener = (snapshot: Snapshot) => {
      const ids = snapshot.endpoints?.map(({ id }) => id).join() ?? "unknown";
      told.push(snapshot.error ? `${ids}: ${snapshot.error.message}` : ids);
      then(snapshot);
    };
    subscribed.add(listener);
    shared.subscribe(listener);
    return { told, leave: () => shared.unsubscribe(listener) };
  };
  return { clock, source, shared, listen };
}

test("row 15: any number of subscribers is one watch, which ends with the last and begins with the next", async (t) => {
  const { source, listen } = share(t);
  source.setEndpoints([endpointAt(1)]);
  const listeners = Array.from({ length: 100 }, () => listen());
  await settled();
  const late = listen();
  assert.deepEqual([source.watches, source.openWatches], [1, 1]);
  assert.deepEqual(
    [...listeners, late].flatMap(({ told }) => told),
    Array(101).fill("pod-1"),
  );
  for (const { leave } of listeners) await leave();
  assert.equal(source.openWatches, 1);
  await late.leave();
  assert.equal(source.openWatches, 0, "unsubscribe resolves when the watch has ended");
  listen();
  await settled();
  assert.equal(source.watches, 2);
});

test("row 27: who comes after the end is not told what was known, also while the old watch is ending", async (t) => {
  const { source, listen } = share(t);
  source.setEndpoints([endpointAt(1)]);
  const first = listen();
  await settled();
  const left = first.leave();
  source.forget();
  const second = listen();
  await left;
  await settled();
  assert.deepEqual([second.told, source.watches, source.openWatches], [[], 2, 1]);
  source.setEndpoints([endpointAt(2)]);
  await settled();
  assert.deepEqual([first.told, second.told], [["pod-1"], ["pod-2"]]);
});

test("row 2: a source that throws keeps the last good set, is said, and is begun again with backoff", async (t) => {
  const { clock, source, listen } = share(t);
  const { told } = listen();
  source.setEndpoints([endpointAt(1)]);
  await settled();
  source.throw(new TypeError("a bug"));
  await settled();
  assert.deepEqual([told, source.openWatches], [["pod-1", "pod-1: service default/server: a bug"], 0]);
  source.setUnknown("unavailable", "the server is away");
  clock.advance(1_000);
  await settled();
  assert.deepEqual([told.at(-1), source.watches], ["pod-1: the server is away", 2]);
  source.setEndpoints([endpointAt(2)]);
  await settled();
  assert.equal(told.at(-1), "pod-2");
});

test("row 2: a source that had something to say between two throws is begun again as soon as after the first", async (t) => {
  const { clock, source, listen } = share(t);
  listen();
  await settled();
  for (let n = 1; n <= 4; n++) {
    source.throw(new Error("a bug"));
    await settled();
    source.setEndpoints([endpointAt(n)]);
    clock.advance(999);
    await settled();
    assert.equal(source.openWatches, 0, `after throw ${n}`);
    clock.advance(1);
    await settled();
    assert.deepEqual([source.watches, source.openWatches], [n + 1, 1], `after throw ${n}`);
  }
});

test("row 2: a source that throws again and again is left alone for longer and longer, half a minute at most", async (t) => {
  const { clock, source, listen } = share(t);
  listen();
  for (const [n, seconds] of [1, 2, 4, 8, 16, 30, 30].entries()) {
    await settled();
    source.throw(new Error("a bug"));
    await settled();
    clock.advance(seconds * 1_000 - 1);
    await settled();
    assert.equal(source.watches, n + 1, `less than ${seconds} s after throw ${n + 1}`);
    clock.advance(1);
  }
  await settled();
});

test("a source that throws before it says anything is an error with nothing known, and does not end the process", async (t) => {
  const { clock, source, listen } = share(t);
  const { told, leave } = listen();
  await settled();
  source.throw(new Error("no such thing"));
  await settled();
  assert.deepEqual([told, clock.sleeping], [["unknown: service default/server: no such thing"], 1]);
  await leave();
  assert.equal(clock.sleeping, 0);
});

test("row 22: a listener that leaves while it is told ends the watch, and the others are told nothing old", async (t) => {
  const { source, listen } = share(t);
  const leavers: (() => Promise<void>)[] = [];
  const first = listen([], () => void Promise.all(leavers.map((leave) => leave())));
  const second = listen();
  leavers.push(first.leave, second.leave);
  source.setEndpoints([endpointAt(1)]);
  await settled();
  assert.deepEqual([first.told, second.told, source.openWatches], [["pod-1"], [], 0]);
});

test("a listener that throws is said, and keeps nothing from the others", async (t) => {
  const { source, listen } = share(t);
  listen([], () => {
    throw new Error("a policy's bug");
  });
  const other = listen();
  const warned = once(process, "warning");
  source.setEndpoints([endpointAt(1)]);
  await settled();
  assert.match(String(await warned), /a policy's bug/);
  source.setEndpoints([endpointAt(2)]);
  await settled();
  assert.deepEqual([other.told, source.openWatches], [["pod-1", "pod-2"], 1]);
});

test("a listener that another one unsubscribes while both are told is told nothing more", async (t) => {
  const { source, listen } = share(t);
  const leavers: (() => Promise<void>)[] = [];
  listen([], () => void leavers[0]?.());
  const second = listen();
  const third = listen();
  leavers.push(second.leave);
  source.setEndpoints([endpointAt(1)]);
  await settled();
  assert.deepEqual([second.told, third.told, source.openWatches], [[], ["pod-1"], 1]);
});

test("row 27: a listener that leaves as the last and comes back while it is told is told nothing old", async (t) => {
  const { source, shared } = share(t);
  const told: string[] = [];
  const back = () => void told.push("old");
  const leaver = () => {
    void shared.unsubscribe(back);
    void shared.unsubscribe(leaver);
    source.forget();
    shared.subscribe(back);
  };
  shared.subscribe(leaver);
  shared.subscribe(back);
  source.setEndpoints([endpointAt(1)]);
  await settled();
  assert.deepEqual([told, source.watches, source.openWatches], [[], 2, 1]);
  await shared.unsubscribe(back);
});
