import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { afterEach, test } from "node:test";
import { assertNothingLeft, ManualClock, turn } from "@grpc-lb/core/testing";
import { endpointAt } from "../../testing/endpoint.ts";
import type { Snapshot } from "./snapshot.ts";
import { SnapshotStore } from "./snapshot-store.ts";
import { keepProcessAlive, watchSnapshots } from "./watch-snapshots.ts";

afterEach(assertNothingLeft);

function begin({ background = false }: { readonly background?: boolean } = {}) {
  const store = new SnapshotStore("s", new ManualClock());
  const closing: Promise<void>[] = [];
  let [subscribed, open] = [0, 0];
  const { promise: closed, resolve: finishClose } = Promise.withResolvers<void>();
  const watch = (signal?: AbortSignal) =>
    watchSnapshots(
      (listener) => {
        subscribed += 1;
        open += 1;
        const end = store.subscribe(listener);
        return {
          async close() {
            end();
            open -= 1;
            await Promise.all(closing);
          },
        };
      },
      signal,
      background,
    );
  const learn = (n: number) => {
    store.endpoints.replaceAll([endpointAt(`a${n}`)]);
    store.sync();
  };
  /** From now on a subscription takes until `finishClose` to close. */
  const slowClose = () => void closing.push(closed);
  return { watch, learn, counts: () => ({ subscribed, open }), slowClose, finishClose };
}

const idOf = (result: IteratorResult<Snapshot, unknown>) => (result.done ? "done" : result.value.endpoints?.[0]?.id);
const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length;

test("a reader gets what is known, then each newer snapshot while it keeps pace", async () => {
  const { watch, learn } = begin();
  const reader = watch();
  const first = reader.next();
  learn(1);
  assert.equal(idOf(await first), "a1");
  const next = reader.next();
  learn(2);
  assert.equal(idOf(await next), "a2");
  const late = watch();
  assert.equal(idOf(await late.next()), "a2");
  await Promise.all([reader.return?.(), late.return?.()]);
});

test("of a burst a slow reader misses snapshots in between, and never the last", async () => {
  const { watch, learn } = begin();
  const ending = new AbortController();
  const seen: number[] = [];
  const reading = (async () => {
    for await (const { endpoints } of watch(ending.signal)) {
      seen.push(Number(endpoints?.[0]?.id.slice(1)));
      await turn();
    }
  })();
  for (let n = 1; n <= 1_000; n++) {
    learn(n);
    if (n % 100 === 0) await turn();
  }
  for (let n = 0; n < 5; n++) await turn();
  ending.abort();
  await reading;
  assert.equal(seen.at(-1), 1_000);
  assert.ok(seen.length < 50, `want a few, got ${seen.length}`);
  assert.deepEqual(
    seen,
    seen.toSorted((a, b) => a - b),
  );
});

test("return ends a next that waits, at once, and resolves when the subscription has closed", async () => {
  const { watch, counts, slowClose, finishClose } = begin();
  const reader = watch();
  const waiting = reader.next();
  await turn();
  slowClose();
  let hasReturned = false;
  const returned = reader.return?.().then(() => {
    hasReturned = true;
  });
  await turn();
  assert.deepEqual([counts().open, hasReturned], [0, false]);
  finishClose();
  await returned;
  assert.equal(idOf(await waiting), "done");
  assert.equal(idOf(await reader.next()), "done");
});

test("throw ends a next that waits, and is thrown", async () => {
  const { watch, counts } = begin();
  const reader = watch();
  const waiting = reader.next();
  await turn();
  const thrown = reader.throw?.(new Error("enough"));
  assert.equal(idOf(await waiting), "done");
  await assert.rejects(async () => thrown, /enough/);
  assert.equal(counts().open, 0);
});

test("break closes the subscription before the loop is left", async () => {
  const { watch, learn, counts } = begin();
  learn(1);
  for await (const _ of watch()) break;
  assert.deepEqual(counts(), { subscribed: 1, open: 0 });
});

test("an abort ends a reader that waits, one that has something unread, and one that has not begun", async () => {
  const { watch, learn, counts } = begin();
  const ending = new AbortController();
  const [waits, unread, unstarted] = [watch(ending.signal), watch(ending.signal), watch(ending.signal)];
  const waiting = waits.next();
  const unreadFirst = unread.next();
  learn(1);
  await Promise.all([waiting, unreadFirst]);
  const second = waits.next();
  await turn();
  ending.abort();
  learn(2);
  assert.deepEqual((await Promise.all([second, unread.next(), unstarted.next()])).map(idOf), ["done", "done", "done"]);
  assert.equal(idOf(await watch(AbortSignal.abort()).next()), "done");
  assert.deepEqual(counts(), { subscribed: 2, open: 0 });
});

test("an iterator that is never started, or returned before its start, subscribes to nothing and keeps nothing", async () => {
  const { watch, counts } = begin();
  const { signal } = new AbortController();
  watch(signal);
  const returned = watch(signal);
  await returned.return?.();
  assert.equal(idOf(await returned.next()), "done");
  assert.deepEqual(counts(), { subscribed: 0, open: 0 });
  assert.equal(getEventListeners(signal, "abort").length, 0);
  assert.equal(timers(), 0);
});

test("a signal that outlives many readers and changes collects no listeners", async () => {
  const { watch, learn } = begin();
  const { signal } = new AbortController();
  const reader = watch(signal);
  for (let n = 0; n < 1_000; n++) {
    const next = reader.next();
    learn(n);
    await next;
  }
  assert.equal(getEventListeners(signal, "abort").length, 1);
  await reader.return?.();
  for (let n = 0; n < 10; n++) {
    const one = watch(signal);
    await one.next();
    await one.return?.();
  }
  assert.equal(getEventListeners(signal, "abort").length, 0);
});

test("a reader keeps the process alive until it ends, unless it is in the background", async () => {
  for (const background of [false, true]) {
    const { watch, learn } = begin({ background });
    const before = timers();
    const reader = watch();
    learn(1);
    await reader.next();
    assert.equal(timers() - before, background ? 0 : 1);
    await reader.return?.();
    assert.equal(timers(), before);
  }
});

test("keepProcessAlive holds a timer until it is let go, also twice", () => {
  const before = timers();
  const letGo = keepProcessAlive();
  assert.equal(timers(), before + 1);
  letGo();
  letGo();
  assert.equal(timers(), before);
});

test("an iterator is its own iterable", () => {
  const reader = begin().watch();
  assert.equal(reader[Symbol.asyncIterator](), reader);
});
