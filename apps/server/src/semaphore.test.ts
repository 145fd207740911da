import assert from "node:assert/strict";
import { test } from "node:test";
import { Semaphore } from "./semaphore.ts";

const never = new AbortController().signal;

test("permits go out in the order of arrival, and no more than there are", async () => {
  const semaphore = new Semaphore(2);
  const granted: number[] = [];
  const calls = [0, 1, 2, 3].map((n) =>
    semaphore.acquire(never).then((hasPermit) => {
      assert.ok(hasPermit);
      granted.push(n);
    }),
  );
  await Promise.all(calls.slice(0, 2));
  assert.deepEqual([granted, semaphore.waiting], [[0, 1], 2]);
  semaphore.release();
  await calls[2];
  assert.deepEqual([granted, semaphore.waiting], [[0, 1, 2], 1]);
  semaphore.release();
  await calls[3];
  assert.deepEqual([granted, semaphore.waiting], [[0, 1, 2, 3], 0]);
});

test("an aborted caller leaves the queue, and the next one moves up", async () => {
  const semaphore = new Semaphore(1);
  await semaphore.acquire(never);
  const aborted = new AbortController();
  const [second, third] = [semaphore.acquire(aborted.signal), semaphore.acquire(never)];
  aborted.abort();
  assert.equal(await second, false);
  assert.equal(semaphore.waiting, 1);
  semaphore.release();
  assert.equal(await third, true);
  semaphore.release();
  assert.equal(await semaphore.acquire(never), true, "the permit was returned");
});

test("a caller that is already aborted gets no permit", async () => {
  const semaphore = new Semaphore(1);
  assert.equal(await semaphore.acquire(AbortSignal.abort()), false);
  assert.equal(await semaphore.acquire(never), true);
});

test("without a limit nobody waits", async () => {
  const semaphore = new Semaphore(0);
  for (let n = 0; n < 1_000; n++) assert.equal(await semaphore.acquire(never), true);
  assert.equal(semaphore.waiting, 0);
});
