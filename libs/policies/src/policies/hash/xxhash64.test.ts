import assert from "node:assert/strict";
import { test } from "node:test";
import { createRandom } from "@grpc-lb/core";
import { hashText, hashText32, upper32, xxHash64 } from "./xxhash64.ts";

const mask = (1n << 64n) - 1n;
const [p1, p2, p3, p4, p5] = [
  0x9e3779b185ebca87n,
  0xc2b2ae3d27d4eb4fn,
  0x165667b19e3779f9n,
  0x85ebca77c2b2ae63n,
  0x27d4eb2f165667c5n,
] as const;
const turn = (x: bigint, bits: bigint) => ((x << bits) | (x >> (64n - bits))) & mask;
const round = (lane: bigint, input: bigint) => (turn((lane + input * p2) & mask, 31n) * p1) & mask;

/** The specification word for word, in BigInt. */
function reference(text: string): bigint {
  const bytes = new TextEncoder().encode(text);
  const read = (at: number, size: number) => {
    let value = 0n;
    for (let i = size - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[at + i] ?? 0);
    return value;
  };
  let at = 0;
  let hash: bigint = p5;
  if (bytes.length >= 32) {
    let lanes: bigint[] = [(p1 + p2) & mask, p2, 0n, -p1 & mask];
    for (; at + 32 <= bytes.length; at += 32) lanes = lanes.map((lane, i) => round(lane, read(at + 8 * i, 8)));
    hash = lanes.reduce((sum, lane, i) => sum + turn(lane, [1n, 7n, 12n, 18n][i] ?? 0n), 0n) & mask;
    for (const lane of lanes) hash = ((hash ^ round(0n, lane)) * p1 + p4) & mask;
  }
  hash = (hash + BigInt(bytes.length)) & mask;
  for (; at + 8 <= bytes.length; at += 8) hash = (turn(hash ^ round(0n, read(at, 8)), 27n) * p1 + p4) & mask;
  if (at + 4 <= bytes.length) {
    hash = (turn(hash ^ ((read(at, 4) * p1) & mask), 23n) * p2 + p3) & mask;
    at += 4;
  }
  for (; at < bytes.length; at++) hash = (turn(hash ^ ((read(at, 1) * p5) & mask), 11n) * p1) & mask;
  hash = ((hash ^ (hash >> 33n)) * p2) & mask;
  hash = ((hash ^ (hash >> 29n)) * p3) & mask;
  return hash ^ (hash >> 32n);
}

test("the hashes of published test vectors are correct", () => {
  for (const [text, want] of [
    ["", 0xef46db3751d8e999n],
    ["a", 0xd24ec4f1a98c6e5bn],
    ["abc", 0x44bc2cf5ad770999n],
    ["ABC", 0xe66ae7354fcfee98n],
    ["foo", 3728699739546630719n],
    ["xxhash", 0x32dd38952c4bc720n],
    ["Nobody inspects the spammish repetition", 0xfbcea83c8a378bf1n],
  ] as const) {
    assert.equal(xxHash64(text).toString(16), want.toString(16), text);
  }
});

test("every length from 0 to 600 and every kind of text agrees with the specification", () => {
  const random = createRandom(8);
  for (const [kind, top] of [
    ["ASCII", 0x80],
    ["Latin 1", 0x100],
    ["of any UTF-16 units, lone surrogates too", 0x10000],
  ] as const) {
    for (let length = 0; length <= 600; length += 1) {
      const units = Array.from({ length }, () => Math.floor(random() * top));
      const text = String.fromCharCode(...units);
      const want = reference(text);
      assert.equal(xxHash64(text).toString(16), want.toString(16), `${kind}, ${length} units`);
      assert.equal(hashText(text), Number(want >> 11n), `${kind}, ${length} units`);
      assert.equal(hashText32(text), Number(want >> 32n) - 2 ** 31, `${kind}, ${length} units`);
      assert.equal(upper32(hashText(text)), hashText32(text), `${kind}, ${length} units`);
    }
  }
});

test("a character outside the Basic Multilingual Plane is hashed as its four bytes", () => {
  for (const text of ["😀", "grüße aus 東京 😀".repeat(20), `${"x".repeat(255)}é`, "é".repeat(256), "é".repeat(257)])
    assert.equal(xxHash64(text), reference(text), text);
});

test("hashes are integers below 2^53 and independent of each other", () => {
  hashText("a text which leaves something behind in each of the lanes and in the scratch");
  assert.equal(hashText("a"), Number(0xd24ec4f1a98c6e5bn >> 11n));
  for (let i = 0; i < 10_000; i++) {
    const hash = hashText(`key-${i}`);
    assert.ok(Number.isSafeInteger(hash) && hash >= 0, `want a whole number in [0, 2^53), got ${hash}`);
  }
});
