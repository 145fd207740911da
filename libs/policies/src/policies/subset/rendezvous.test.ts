import assert from "node:assert/strict";
import { test } from "node:test";
import { createRandom } from "@grpc-lb/core";
import { chiSquare, chiSquareTail } from "@grpc-lb/verdict";
import { rankByRendezvous } from "./rendezvous.ts";

const list = (length: number, name = "10.0.0.") => Array.from({ length }, (_, i) => `${name}${i}:50051`);
const choose = (key: string, members: readonly string[], count: number) =>
  rankByRendezvous(key, members, count).map((i) => members[i] ?? "?");

test("it chooses the given number of members, each once, or all when there are fewer", () => {
  const members = list(20);
  assert.equal(new Set(choose("client", members, 7)).size, 7);
  assert.deepEqual(
    rankByRendezvous("client", members, 50).toSorted((a, b) => a - b),
    [...members.keys()],
  );
  assert.deepEqual(rankByRendezvous("client", members, 0), []);
  assert.deepEqual(rankByRendezvous("client", [], 3), []);
});

test("a key chooses the same members in the same order for any order of the list", () => {
  const members = list(30);
  assert.deepEqual(choose("client", members.toReversed(), 10), choose("client", members, 10));
  assert.deepEqual(choose("client", members, 5), choose("client", members, 10).slice(0, 5));
  assert.notDeepEqual(choose("other", members, 10), choose("client", members, 10));
  assert.deepEqual(rankByRendezvous("client", ["same", "same", "same"], 2), [0, 1]);
});

test("a member that comes or goes replaces at most one of the chosen, and the others keep their order", () => {
  const random = createRandom(21);
  for (let round = 0; round < 200; round++) {
    const members = list(2 + Math.floor(random() * 40));
    const count = 1 + Math.floor(random() * members.length);
    const before = choose(`client-${round}`, members, count);
    const gone = Math.floor(random() * members.length);
    for (const [what, changed] of [
      ["gone", members.toSpliced(gone, 1)],
      ["new", [...members, "192.168.0.1:1"]],
      ["replaced", members.with(gone, "192.168.0.1:1")],
    ] as const) {
      const after = choose(`client-${round}`, changed, count);
      const stayed = before.filter((member) => after.includes(member));
      assert.ok(stayed.length >= count - 1, `${what}: want at most one of ${before} replaced, got ${after}`);
      assert.deepEqual(
        after.filter((member) => before.includes(member)),
        stayed,
        `${what}: the order of those who stay`,
      );
    }
  }
});

test("over many clients all members are chosen evenly", () => {
  const members = list(50);
  const counts = new Array<number>(50).fill(0);
  for (let client = 0; client < 5_000; client++)
    for (const i of rankByRendezvous(`pod-${client}`, members, 10)) counts[i] = (counts[i] ?? 0) + 1;
  // A client chooses no member twice, so counts vary less than independent choices, by the part that is not chosen.
  const statistic = (chiSquare(counts, new Array<number>(50).fill(1_000)) / (1 - 10 / 50)) * (49 / 50);
  const p = chiSquareTail(statistic, 49);
  assert.ok(p > 0.001, `want p > 0.001, got ${p} for ${counts}`);
  assert.ok(Math.max(...counts) < 1_100, `want at most 1.1 of the mean 1000, got ${Math.max(...counts)}`);
});
