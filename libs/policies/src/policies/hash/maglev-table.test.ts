import assert from "node:assert/strict";
import { test } from "node:test";
import { createRandom } from "@grpc-lb/core";
import type { KeyedMember } from "./key-order.ts";
import { isPrime, MaglevTable } from "./maglev-table.ts";
import { hashText32 } from "./xxhash64.ts";

const equal = (length: number): KeyedMember[] =>
  Array.from({ length }, (_, i) => ({ key: `10.0.${i >> 8}.${i & 255}:50051`, weight: 1 }));
const weighted = (...weights: number[]): KeyedMember[] => weights.map((weight, i) => ({ key: `pod-${i}`, weight }));
const all = (length: number) => new Uint8Array(length).fill(1);
const without = (length: number, ...gone: number[]) => all(length).map((flag, i) => (gone.includes(i) ? 0 : flag));
const requests = Array.from({ length: 20_000 }, (_, i) => hashText32(`request-${i}`));

/** The member of each slot, by the hash in its middle. */
function slotsOf(table: MaglevTable, members: number, size: number): number[] {
  const flags = all(members);
  return Array.from({ length: size }, (_, i) => table.choose(Math.floor(((i + 0.5) / size - 0.5) * 2 ** 32), flags));
}

function countOf(slots: readonly number[], members: number): number[] {
  const counts = new Array<number>(members).fill(0);
  for (const member of slots) counts[member] = (counts[member] ?? 0) + 1;
  return counts;
}

test("the slots of equal members differ by at most one", () => {
  for (const [members, size] of [
    [1, 2],
    [3, 7],
    [10, 1_009],
    [100, 1_009],
    [1_000, 1_009],
    [100, 65_537],
    [1_000, 65_537],
  ] as const) {
    const counts = countOf(slotsOf(new MaglevTable(equal(members), size), members, size), members);
    const [least, most] = [Math.min(...counts), Math.max(...counts)];
    assert.ok(
      least >= Math.floor(size / members) && most <= Math.ceil(size / members),
      `${members}: ${least}, ${most}`,
    );
  }
});

test("requests spread evenly: with 10 members and 65537 slots, at most 1.1 times the mean", () => {
  const table = new MaglevTable(equal(10), 65_537);
  const counts = countOf(
    requests.map((hash) => table.choose(hash, all(10))),
    10,
  );
  assert.ok(Math.max(...counts) <= 2_200, `want at most 2200 of 20000 each, got ${counts}`);
});

test("a member has slots in proportion to its weight, at least one, and none with weight 0", () => {
  for (const weights of [
    [1, 2, 3, 4],
    [0.1, 0.2, 0, 0.7],
    [100, 1, 1, 1, 0],
    [1e-9, 1],
    [7.3, 0.9, 2.2],
  ]) {
    const size = 10_007;
    const total = weights.reduce((a, b) => a + b);
    const counts = countOf(slotsOf(new MaglevTable(weighted(...weights), size), weights.length, size), weights.length);
    for (const [i, weight] of weights.entries()) {
      const [got, want] = [counts[i] ?? 0, (size * weight) / total];
      assert.ok(Math.abs(got - want) <= weights.length, `member ${i} of ${weights}: want ${want}, got ${got}`);
      assert.equal(got > 0, weight > 0, `member ${i} of ${weights}: got ${got}`);
    }
  }
});

test("the order of the list does not matter", () => {
  const members = weighted(1, 2.5, 3.7, 1.1, 4);
  const slots = slotsOf(new MaglevTable(members, 1_009), 5, 1_009);
  const turned = slotsOf(new MaglevTable(members.toReversed(), 1_009), 5, 1_009);
  assert.deepEqual(
    turned.map((member) => 4 - member),
    slots,
  );
});

test("the keys of a member that is not ready spread over all others, and no other key moves", () => {
  for (const size of [31, 65_537]) {
    const table = new MaglevTable(equal(10), size);
    for (let gone = 0; gone < 10; gone++) {
      const heirs = new Array<number>(10).fill(0);
      for (const hash of requests) {
        const before = table.choose(hash, all(10));
        const after = table.choose(hash, without(10, gone));
        if (before === gone) heirs[after] = (heirs[after] ?? 0) + 1;
        else assert.equal(after, before);
      }
      const moved = heirs.reduce((a, b) => a + b);
      const most = Math.max(...heirs);
      assert.ok(moved <= requests.length * (1 / 10 + 0.04), `size ${size}, without ${gone}: ${moved} moved`);
      assert.ok(most <= (2 * moved) / 9, `size ${size}, without ${gone}: want no heir of twice the mean, got ${heirs}`);
    }
  }
});

test("a table rebuilt without a member moves few keys of the others, with few exceptions", () => {
  // Members with parallel permutations move more. That depends on the keys, so the test takes many sets of them.
  for (const [members, size, mean, nine] of [
    [3, 65_537, 0.002, 0.0015],
    [10, 65_537, 0.0035, 0.005],
    [100, 65_537, 0.006, 0.007],
    [10, 16_381, 0.007, 0.009],
    [10, 1_009, 0.035, 0.045],
  ] as const) {
    const parts = Array.from({ length: 40 }, (_, set) => {
      const keyed = equal(members).map(({ key, weight }) => ({ key: `${set}/${key}`, weight }));
      const others = keyed.map((member, i) => (i === set % members ? { ...member, weight: 0 } : member));
      const before = slotsOf(new MaglevTable(keyed, size), members, size);
      const after = slotsOf(new MaglevTable(others, size), members, size);
      const stayed = before.filter((member) => member !== set % members).length;
      const changed = before.filter((member, slot) => member !== after[slot]).length;
      return (changed - (size - stayed)) / stayed;
    }).sort((a, b) => a - b);
    const got = parts.reduce((a, b) => a + b) / parts.length;
    const what = `${members} members, ${size} slots`;
    assert.ok(got <= mean, `${what}: want at most ${mean} in the mean, got ${got}`);
    assert.ok((parts[35] ?? 1) <= nine, `${what}: want at most ${nine} in nine of ten, got ${parts[35]}`);
  }
});

test("when no member with slots is ready, the result is -1", () => {
  const table = new MaglevTable(weighted(1, 0, 1), 31);
  for (const hash of requests.slice(0, 50)) {
    assert.equal(table.choose(hash, without(3, 0, 1, 2)), -1);
    assert.equal(table.choose(hash, without(3, 0, 2)), -1);
    assert.equal(table.choose(hash, without(3, 0)), 2);
  }
});

test("chooseWith walks like choose, calls accepts once per member, and ends", () => {
  const random = createRandom(3);
  const table = new MaglevTable(weighted(1, 2, 3, 0, 4), 211);
  for (const hash of [...requests.slice(0, 500), -(2 ** 31), -1, 0, 2 ** 31 - 1]) {
    const visited: number[] = [];
    assert.equal(
      table.chooseWith(hash, (member) => {
        visited.push(member);
        return false;
      }),
      -1,
    );
    assert.deepEqual(visited.toSorted(), [0, 1, 2, 4]);
    for (let i = 0; i < 4; i++) assert.equal(table.choose(hash, without(5, ...visited.slice(0, i))), visited[i]);
    const flags = all(5).map(() => (random() < 0.5 ? 1 : 0));
    assert.equal(
      table.chooseWith(hash, (member) => flags[member] === 1),
      table.choose(hash, flags),
    );
  }
});

test("isPrime distinguishes primes from other numbers", () => {
  for (const prime of [2, 3, 5, 7, 31, 1_009, 65_537, 655_373, 5_000_011])
    assert.equal(isPrime(prime), true, `${prime}`);
  for (const other of [-7, 0, 1, 4, 9, 1_001, 65_535, 65_536, 1_009 * 1_009, 2.5, Number.NaN, Infinity])
    assert.equal(isPrime(other), false, `${other}`);
});

test("a size that is not prime or too small, and weights that are all 0 or invalid, are refused", () => {
  for (const [members, size, message] of [
    [equal(2), 1_000, "tableSize must be a prime, got 1000"],
    [equal(7), 7, "tableSize must be > 7, the number of members, got 7"],
    [[], 7, "one of 0 weights must be > 0, got none"],
    [weighted(0, 0), 7, "one of 2 weights must be > 0, got none"],
    [weighted(1, -1), 7, "weights[1] must be a finite number >= 0, got -1"],
  ] as const) {
    assert.throws(() => new MaglevTable(members, size), { name: "RangeError", message });
  }
});
