import assert from "node:assert/strict";
import { test } from "node:test";
import { ClientStats } from "./client-stats.ts";

const pods = ["a", "b", "c"];
const upper = (pod: string) => pod.toUpperCase();

/** Adds a call of each of `names`, 50 ms apart, and returns the time after the last one. */
function add(stats: ClientStats, names: readonly (string | null)[], fromMs: number, ms: number | null = 10): number {
  for (const [i, pod] of names.entries()) stats.add({ atMs: fromMs + i * 50, pod, ms }, pod === null ? "late" : "");
  return fromMs + names.length * 50;
}

const turns = (count: number) => Array.from({ length: count }, (_, i) => pods[i % 3] ?? "");

test("calls count for the verdict two seconds after the first, and a verdict needs five per pod", () => {
  const stats = new ClientStats("round_robin");
  const endMs = add(stats, turns(40), 0);
  assert.deepEqual(stats.verdict(pods, upper), { word: null, calls: 0, needed: 15, pods: 3, perLetter: {} });
  add(stats, turns(15), endMs);
  assert.deepEqual(stats.verdict(pods, upper), {
    ...{ word: "BALANCED", calls: 15, needed: 15, pods: 3 },
    perLetter: { A: 5, B: 5, C: 5 },
  });
  assert.equal(stats.calls, 55);
});

test("the last thirty calls a pod are judged", () => {
  const stats = new ClientStats("round_robin");
  const endMs = add(stats, Array(200).fill("a"), 0);
  assert.equal(stats.verdict(pods, upper).word, "PINNED");
  add(stats, turns(90), endMs);
  assert.deepEqual(stats.verdict(pods, upper).perLetter, { A: 30, B: 30, C: 30 });
});

test("a change of the pods restarts the verdict", () => {
  const stats = new ClientStats("round_robin");
  const endMs = add(stats, turns(90), 0);
  stats.restart(endMs);
  assert.equal(stats.verdict(pods, upper).calls, 0);
  add(stats, turns(60), endMs);
  assert.equal(stats.verdict(pods, upper).calls, 20, "calls of the first two seconds count");
});

test("a client that starts long after the pods has its connections open before it is judged", () => {
  const stats = new ClientStats("round_robin");
  stats.restart(0);
  const lateMs = add(stats, [null, null], 8_000);
  const endMs = add(stats, Array(40).fill("a"), lateMs);
  assert.equal(stats.verdict(pods, upper).calls, 0);
  add(stats, turns(15), endMs);
  assert.equal(stats.verdict(pods, upper).word, "BALANCED");
});

test("one pod alone has no verdict", () => {
  const stats = new ClientStats("random");
  add(stats, Array(90).fill("a"), 0);
  assert.equal(stats.verdict(["a"], upper).word, null);
});

test("rates and times are of the last ten seconds, and failed calls have no part in them", () => {
  const stats = new ClientStats("random");
  add(stats, Array(20).fill("a"), 0, 1_000);
  add(stats, [...Array(99).fill("a"), null], 15_000, 10);
  stats.add({ atMs: 20_000, pod: "a", ms: 90 }, "");
  assert.deepEqual(stats.rates(20_000, 0), { callsPerSecond: 10, p50Ms: 10, p99Ms: 10 });
  assert.deepEqual(stats.rates(40_000, 0), { callsPerSecond: 0, p50Ms: null, p99Ms: null });
  assert.deepEqual([stats.calls, stats.failed, stats.lastError], [120, 1, "late"]);
});
