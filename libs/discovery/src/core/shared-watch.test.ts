import assert from "node:assert/strict";
import { test } from "node:test";
import type { Latest } from "./latest.ts";
import { SharedWatch } from "./shared-watch.ts";
import type { Snapshot } from "./snapshot.ts";

const snapshot = (subject: string): Snapshot => ({
  subject,
  endpoints: [],
  lastSyncMs: 0,
  error: undefined,
  serviceConfig: undefined,
});

/** A watch whose runs a test looks into. */
function start() {
  const runs: { latest: Latest<Snapshot>; hasEnded: boolean }[] = [];
  const watch = new SharedWatch(async (latest, signal) => {
    const run = { latest, hasEnded: false };
    runs.push(run);
    latest.set(snapshot(`run ${runs.length}`));
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
    run.hasEnded = true;
  });
  return { watch, runs };
}

test("two readers are one run; it ends with the last, and the next reader begins another", async () => {
  const { watch, runs } = start();
  const never = new AbortController().signal;
  const [first, second] = [watch.read(never), watch.read(never)];
  for (const reader of [first, second]) assert.equal((await reader.next()).value?.subject, "run 1");
  runs[0]?.latest.set(snapshot("news"));
  for (const reader of [first, second]) assert.equal((await reader.next()).value?.subject, "news");
  await first.return();
  assert.deepEqual([runs.length, runs[0]?.hasEnded], [1, false]);
  await second.return();
  assert.equal(runs[0]?.hasEnded, true);
  const third = watch.read(never);
  assert.equal((await third.next()).value?.subject, "run 2", "what was known is forgotten");
  await third.return();
});

test("a reader that is aborted is told nothing more, and has ended when the run has", async () => {
  const { watch, runs } = start();
  const controller = new AbortController();
  const reader = watch.read(controller.signal);
  await reader.next();
  const waiting = reader.next();
  controller.abort();
  assert.deepEqual(await waiting, { done: true, value: undefined });
  assert.equal(runs[0]?.hasEnded, true);
});

test("a run that throws, which none should, is thrown to each reader, and the next reader begins another", async () => {
  let runs = 0;
  const watch = new SharedWatch(async (latest, signal) => {
    runs += 1;
    if (runs === 1) throw new Error("a fault");
    latest.set(snapshot("well"));
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
  });
  const never = new AbortController().signal;
  const [first, second] = [watch.read(never), watch.read(never)];
  await Promise.all([first, second].map((reader) => assert.rejects(reader.next(), /^Error: a fault$/)));
  const third = watch.read(never);
  assert.equal((await third.next()).value?.subject, "well");
  await third.return();
});
