import { hashText32 } from "./xxhash64.ts";

/** A power of two: of 1 000 keys in use, nine in ten are found. */
const slotCount = 4_096;

/** The keys that were hashed last, one for each slot, and their hashes. */
const keys: string[] = new Array(slotCount).fill("");
const hashes = new Int32Array(slotCount).fill(hashText32(""));

/**
 * `hashText32`, with a memory of recent keys: a client sends most of its calls with few keys, and to hash one of 36 characters takes
 * two thirds of a pick. Allocates nothing.
 */
export function hashKey(key: string): number {
  const slot = slotOf(key);
  if (keys[slot] === key) return hashes[slot] as number;
  const hash = hashText32(key);
  keys[slot] = key;
  hashes[slot] = hash;
  return hash;
}

/** From a few characters: keys often have a common prefix or suffix. */
function slotOf(key: string): number {
  const { length } = key;
  let slot = length;
  slot = Math.imul(slot, 31) + key.charCodeAt(length - 1);
  slot = Math.imul(slot, 31) + key.charCodeAt(length - 2);
  slot = Math.imul(slot, 31) + key.charCodeAt(length >> 1);
  slot = Math.imul(slot, 31) + key.charCodeAt(length >> 2);
  return (slot ^ (slot >>> 12)) & (slotCount - 1);
}
