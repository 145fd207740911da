import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";
import { Latest } from "./latest.ts";

const turn = () => new Promise((resolve) => setImmediate(resolve));

test("a reader gets the value there is, then each newer one while it keeps pace", async () => {
  const latest = new Latest<number>();
  latest.set(1);
  const reader = latest.read();
  assert.deepEqual(await reader.next(), { done: false, value: 1 });
  const next = reader.next();
  latest.set(2);
  assert.deepEqual(await next, { done: false, value: 2 });
  assert.equal(latest.value, 2);
});

test("a burst of 1000 changes is coalesced for a slow reader, and the last always arrives", async () => {
  const latest = new Latest<number>();
  const seen: number[] = [];
  const reading = (async () => {
    for await (const value of latest.read()) {
      seen.push(value);
      await turn();
    }
  })();
  for (let n = 1; n <= 1_000; n++) {
    latest.set(n);
    if (n % 100 === 0) await turn();
  }
  latest.close();
  await reading;
  assert.equal(seen.at(-1), 1_000);
  assert.ok(seen.length < 50, `want a few, got ${seen.length}`);
  assert.deepEqual(
    seen,
    [...seen].sort((a, b) => a - b),
  );
});

test("several readers see the same, each at its pace", async () => {
  const latest = new Latest<string>();
  const readers = [latest.read(), latest.read()];
  const nexts = readers.map((reader) => reader.next());
  latest.set("a");
  assert.deepEqual(await Promise.all(nexts), [
    { done: false, value: "a" },
    { done: false, value: "a" },
  ]);
});

test("an abort ends a reader that waits, and one that has not begun", async () => {
  const latest = new Latest<number>();
  const controller = new AbortController();
  const waiting = latest.read(controller.signal).next();
  await turn();
  controller.abort();
  assert.deepEqual(await waiting, { done: true, value: undefined });
  latest.set(1);
  assert.deepEqual(await latest.read(controller.signal).next(), { done: true, value: undefined });
});

test("close lets a reader see the last value, and nothing is taken after it", async () => {
  const latest = new Latest<number>();
  const reader = latest.read();
  latest.set(1);
  latest.close();
  latest.set(2);
  assert.deepEqual(await reader.next(), { done: false, value: 1 });
  assert.deepEqual(await reader.next(), { done: true, value: undefined });
});

test("break ends one reader and no other", async () => {
  const latest = new Latest<number>();
  latest.set(1);
  for await (const value of latest.read()) if (value === 1) break;
  const other = latest.read();
  await other.next();
  latest.set(2);
  assert.deepEqual(await other.next(), { done: false, value: 2 });
});

test("a signal that outlives 1000 changes collects no listeners", async () => {
  const latest = new Latest<number>();
  const { signal } = new AbortController();
  const reader = latest.read(signal);
  for (let n = 0; n < 1_000; n++) {
    const next = reader.next();
    await undefined;
    latest.set(n);
    await next;
  }
  assert.equal(getEventListeners(signal, "abort").length, 0);
});
