import assert from "node:assert/strict";
import { test } from "node:test";
import { createRandom } from "@grpc-lb/core";
import type { KeyedMember } from "./key-order.ts";
import { HashRing } from "./ring.ts";
import { hashText, hashText32, upper32 } from "./xxhash64.ts";

const equal = (length: number): KeyedMember[] =>
  Array.from({ length }, (_, i) => ({ key: `10.0.${i >> 8}.${i & 255}:50051`, weight: 1 }));
const weighted = (...weights: number[]): KeyedMember[] => weights.map((weight, i) => ({ key: `pod-${i}`, weight }));
const all = (length: number) => new Uint8Array(length).fill(1);
const without = (length: number, ...gone: number[]) => all(length).map((flag, i) => (gone.includes(i) ? 0 : flag));
const requests = Array.from({ length: 20_000 }, (_, i) => hashText32(`request-${i}`));

/** The share of all hashes that each member has, from hashes at even distances. */
function sharesOf(ring: HashRing, members: number): number[] {
  const shares = new Array<number>(members).fill(0);
  const count = 100_000;
  for (let i = 0; i < count; i++) {
    const member = ring.choose(Math.floor(((i + 0.5) / count - 0.5) * 2 ** 32), all(members));
    shares[member] = (shares[member] ?? 0) + 1 / count;
  }
  return shares;
}

test("a ring has the entries of gRFC A42 and chooses the first one at or after the hash, or the very first", () => {
  for (const counts of [
    [4, 4, 4],
    [3, 6, 9],
  ]) {
    const members = weighted(...counts);
    const sum = counts.reduce((a, b) => a + b);
    const ring = new HashRing(members, { minSize: sum, maxSize: 1_000 });
    const entries = counts
      .flatMap((count, member) =>
        Array.from({ length: count }, (_, i) => ({ member, hash: hashText(`pod-${member}_${i}`) })),
      )
      .sort((a, b) => a.hash - b.hash);
    assert.equal(ring.size, sum);
    const places = entries.map(({ hash }) => upper32(hash));
    const hashes = [...requests, ...places.flatMap((place) => [place - 1, place, place + 1]), -(2 ** 31), 2 ** 31 - 1];
    for (const hash of hashes) {
      const want = (entries.find((entry) => upper32(entry.hash) >= hash) ?? entries[0])?.member;
      assert.equal(ring.choose(hash, all(3)), want, `hash ${hash}`);
    }
  }
});

test("entries that differ only in the lower bits of their hashes are ordered by these bits", () => {
  const size = 200_000;
  const ring = new HashRing(equal(10), { minSize: size, maxSize: size });
  const entries = equal(10)
    .flatMap(({ key }, member) =>
      Array.from({ length: size / 10 }, (_, i) => ({ member, hash: hashText(`${key}_${i}`) })),
    )
    .sort((a, b) => a.hash - b.hash);
  let twins = 0;
  for (const [i, { hash, member }] of entries.entries()) {
    const next = entries[i + 1];
    const before = entries[i - 1];
    if (!next || upper32(next.hash) !== upper32(hash) || (before && upper32(before.hash) === upper32(hash))) continue;
    twins++;
    assert.equal(ring.choose(upper32(hash), all(10)), member);
    if (next.member !== member) assert.equal(ring.choose(upper32(hash), without(10, member)), next.member);
  }
  assert.ok(twins > 0, "the list must contain twins");
});

test("the size is the smallest one from minSize that gives the smallest weight an integer number of entries, at most maxSize", () => {
  for (const [members, minSize, maxSize, want] of [
    [equal(3), 1_024, 4_096, 1_026],
    [equal(1), 1_024, 4_096, 1_024],
    [equal(10), 1_024, 4_096, 1_030],
    [equal(2_000), 1_024, 4_096, 2_000],
    [equal(5_000), 1_024, 4_096, 4_096],
    [equal(1_000), 4_096, 4_096, 4_096],
    [weighted(1, 2), 10, 100, 12],
    [weighted(0.1, 0.2), 10, 100, 12],
    [weighted(1, 999), 100, 300, 300],
    [weighted(0, 1, 1), 10, 100, 10],
    [weighted(2, 3, 3), 4, 100, 4],
    [weighted(2, 2.5, 2.5), 5, 100, 7],
  ] as const) {
    assert.equal(
      new HashRing(members, { minSize, maxSize }).size,
      want,
      `${members.map(({ weight }) => weight).slice(0, 3)} of ${members.length}, ${minSize}, ${maxSize}`,
    );
  }
});

test("the order of the list does not matter, also when shares are not integers", () => {
  const members = weighted(1, 2.5, 3.7, 1.1, 4);
  const ring = new HashRing(members, { minSize: 100, maxSize: 100 });
  const turned = new HashRing(members.toReversed(), { minSize: 100, maxSize: 100 });
  for (const hash of requests) assert.equal(4 - turned.choose(hash, all(5)), ring.choose(hash, all(5)));
});

test("of equal members the greatest load is a known multiple of the mean", () => {
  for (const [members, minSize, most] of [
    [3, 1_024, 1.1],
    [10, 1_024, 1.2],
    [10, 4_096, 1.1],
    [100, 1_024, 2.1],
    [100, 4_096, 1.5],
    [100, 65_536, 1.2],
  ] as const) {
    const shares = sharesOf(new HashRing(equal(members), { minSize, maxSize: 100_000 }), members);
    const got = Math.max(...shares) * members;
    assert.ok(got <= most, `${members} members, minSize ${minSize}: want at most ${most}, got ${got}`);
  }
});

test("a member's load follows its weight, and is 0 with weight 0", () => {
  const weights = [1, 2, 0, 3, 4];
  const shares = sharesOf(new HashRing(weighted(...weights), { minSize: 10_000, maxSize: 10_000 }), 5);
  for (const [i, weight] of weights.entries()) {
    const [got, want] = [shares[i] ?? 0, weight / 10];
    assert.ok(Math.abs(got - want) <= 0.1 * want, `member ${i}: want ${want}, got ${got}`);
  }
});

test("the keys of a member that is not ready go to many others, and no other key moves", () => {
  const ring = new HashRing(equal(10), { minSize: 1_024, maxSize: 4_096 });
  for (let gone = 0; gone < 10; gone++) {
    const heirs = new Set<number>();
    let moved = 0;
    for (const hash of requests) {
      const before = ring.choose(hash, all(10));
      const after = ring.choose(hash, without(10, gone));
      if (before !== gone) assert.equal(after, before);
      else {
        moved++;
        heirs.add(after);
      }
    }
    assert.ok(moved / requests.length < 0.1 + 0.03, `member ${gone}: want 1/10 + 0.03 at most, got ${moved / 20_000}`);
    assert.equal(heirs.size, 9, `member ${gone}: all others inherit`);
  }
});

test("a ring rebuilt without a member moves no other key while the entries per member stay the same, else at most 10 %", () => {
  for (const [minSize, minSizeAfter, most] of [
    [1_000, 900, 0],
    [10, 9, 0],
    [1_024, 1_024, 0.1],
  ] as const) {
    const before = new HashRing(equal(10), { minSize, maxSize: 4_096 });
    for (let gone = 0; gone < 10; gone++) {
      const members = equal(10).map((member, i) => (i === gone ? { ...member, weight: 0 } : member));
      const after = new HashRing(members, { minSize: minSizeAfter, maxSize: 4_096 });
      const others = requests.filter((hash) => before.choose(hash, all(10)) !== gone);
      const moved = others.filter((hash) => before.choose(hash, all(10)) !== after.choose(hash, all(10))).length;
      const got = moved / others.length;
      assert.ok(got <= most, `minSize ${minSize}, without ${gone}: want at most ${most}, got ${got}`);
    }
  }
});

test("when no member with entries is ready, the result is -1", () => {
  const ring = new HashRing(weighted(1, 0, 1), { minSize: 16, maxSize: 16 });
  assert.equal(ring.choose(5, without(3, 0, 1, 2)), -1);
  assert.equal(ring.choose(5, without(3, 0, 2)), -1);
  assert.equal(ring.choose(5, without(3, 0)), 2);
});

test("chooseWith walks along the ring, calls accepts once per member, and ends", () => {
  const random = createRandom(3);
  const ring = new HashRing(weighted(1, 2, 3, 0, 4), { minSize: 200, maxSize: 200 });
  for (const hash of requests.slice(0, 500)) {
    const visited: number[] = [];
    assert.equal(
      ring.chooseWith(hash, (member) => {
        visited.push(member);
        return false;
      }),
      -1,
    );
    assert.deepEqual(visited.toSorted(), [0, 1, 2, 4]);
    for (let i = 0; i < 4; i++) assert.equal(ring.choose(hash, without(5, ...visited.slice(0, i))), visited[i]);
    const flags = all(5).map(() => (random() < 0.5 ? 1 : 0));
    assert.equal(
      ring.chooseWith(hash, (member) => flags[member] === 1),
      ring.choose(hash, flags),
    );
  }
});

test("of two members with the same key the second gets the calls when the first is not ready", () => {
  const twins = [
    { key: "a", weight: 1 },
    { key: "a", weight: 1 },
  ];
  const ring = new HashRing(twins, { minSize: 8, maxSize: 8 });
  for (const hash of requests.slice(0, 100))
    assert.deepEqual([ring.choose(hash, all(2)), ring.choose(hash, without(2, 0))], [0, 1]);
});

test("weights without a positive one are refused", () => {
  const sizes = { minSize: 8, maxSize: 8 };
  for (const members of [[], weighted(0, 0), weighted(1, -1), weighted(Number.NaN)])
    assert.throws(() => new HashRing(members, sizes), { name: "RangeError" });
});

test("any weights up to 2^32 - 1 and any sizes give a ring within its bounds, on which every heavy enough member has entries", () => {
  for (let seed = 1; seed <= 400; seed++) {
    const random = createRandom(seed);
    const integer = (min: number, max: number) => min + Math.floor(random() * (max - min + 1));
    const weights = Array.from({ length: integer(1, 30) }, () =>
      random() < 0.1 ? 0 : Math.min(2 ** 32 - 1, Math.floor(2 ** (random() * 33))),
    );
    if (!weights.some((weight) => weight > 0)) continue;
    const minSize = integer(1, 4_096);
    const maxSize = integer(minSize, 4_096);
    const ring = new HashRing(weighted(...weights), { minSize, maxSize });
    const about = `seed ${seed}: weights ${weights}, sizes ${minSize} to ${maxSize}, got ${ring.size} entries`;
    assert.ok(ring.size >= 1 && ring.size <= maxSize, about);
    const present = new Set<number>();
    ring.chooseWith(integer(-(2 ** 31), 2 ** 31 - 1), (member) => {
      present.add(member);
      return false;
    });
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    for (const [member, weight] of weights.entries()) {
      if (weight === 0) assert.ok(!present.has(member), `${about}: member ${member} has no weight`);
      if ((weight / total) * ring.size >= 1.001)
        assert.ok(present.has(member), `${about}: member ${member} has no entry`);
    }
    for (let n = 0; n < 20; n++) {
      const chosen = ring.choose(integer(-(2 ** 31), 2 ** 31 - 1), all(weights.length));
      assert.ok((weights[chosen] ?? 0) > 0, about);
    }
  }
});

test("weights of 1e9 beside 1 give shares of the weights", () => {
  const ring = new HashRing(weighted(1e9, 1, 1e9), { minSize: 1_024, maxSize: 4_096 });
  const [first = 0, second = 0, third = 0] = sharesOf(ring, 3);
  assert.ok(Math.abs(first - third) < 0.1 && second < 0.01, `got ${[first, second, third]}`);
});
