import { inKeyOrder, type KeyedMember, type PlacedMember } from "./key-order.ts";
import { VisitedSet } from "./visited-set.ts";
import { hashText } from "./xxhash64.ts";

const hashRange = 2 ** 32;

/**
 * A table of Google's Maglev (Eisenbud et al., "Maglev: A Fast and Reliable Software Network Load Balancer", NSDI 2016,
 * section 3.4), weighted as Envoy does it: members take turns in claiming the next free slot of their own order of all
 * slots, and a request belongs to the slot of its hash. The slots of equal members differ by at most one; others have
 * their share give or take one round. A choice is O(1), and the same for all clients with the same members.
 *
 * A member that is not ready gives its keys to all others; no other key moves. A table that is built anew without it
 * moves some more, of the keys that were not its own: 0.3 % with 10 members and 65537 slots, 0.9 % with 300, 2.7 % with
 * 10 members and 1009 slots. These are means over sets of keys: one set of fifty, whose ways through the slots run side by
 * side, moves several times as many.
 */
export class MaglevTable {
  readonly #slots: Uint16Array | Int32Array;
  readonly #asked: VisitedSet;
  readonly #present: number;

  /**
   * A member of weight 0 has no slot, each other at least one. Built in O(tableSize · log tableSize) with like weights,
   * some milliseconds at 65537; one member of far more than the others' weight costs up to tableSize · members, 0.1 s
   * with 1000. Throws a RangeError when a weight is negative or not finite or none is above 0, and when tableSize is
   * no prime above the number of members.
   *
   * @param tableSize a prime (`isPrime`), 100 times the members for an even spread; 65537 is the paper's and Envoy's
   */
  constructor(members: readonly KeyedMember[], tableSize: number) {
    if (!isPrime(tableSize)) throw new RangeError(`tableSize must be a prime, got ${tableSize}`);
    if (tableSize <= members.length)
      throw new RangeError(`tableSize must be > ${members.length}, the number of members, got ${tableSize}`);
    const placed = inKeyOrder(members);
    const owners = claimSlots(placed, tableSize);
    this.#slots = members.length <= 2 ** 16 ? new Uint16Array(owners) : owners;
    this.#asked = new VisitedSet(members.length);
    this.#present = placed.length;
  }

  /**
   * The index of the member that `hash` (see `hashText32`) belongs to, if `isReady`, by member, is not 0 for it, else of
   * the first ready one on the hash's own walk through all slots; -1 when there is none.
   */
  choose(hash: number, isReady: Uint8Array): number {
    const size = this.#slots.length;
    const first = slotOf(hash, size);
    const member = this.#slots[first] as number;
    if (isReady[member] !== 0) return member;
    const stride = strideOf(hash, size);
    for (let at = (first + stride) % size; at !== first; at = (at + stride) % size) {
      const next = this.#slots[at] as number;
      if (isReady[next] !== 0) return next;
    }
    return -1;
  }

  /**
   * Like `choose`, but asks: the first member on the hash's walk that `accepts`; -1 when none does. Each is asked at most
   * once, for loads are costly to compare; `accepts` must not choose from this table itself. For hashing with bounded
   * loads.
   */
  chooseWith(hash: number, accepts: (member: number) => boolean): number {
    const size = this.#slots.length;
    let at = slotOf(hash, size);
    const first = this.#slots[at] as number;
    if (accepts(first)) return first; // which most do, and then nothing is to be remembered
    const walk = this.#asked.start();
    this.#asked.isNew(first, walk);
    const stride = strideOf(hash, size);
    for (let left = this.#present - 1; left > 0; ) {
      at = (at + stride) % size;
      const member = this.#slots[at] as number;
      if (!this.#asked.isNew(member, walk)) continue;
      if (accepts(member)) return member;
      left--;
    }
    return -1;
  }
}

/** By the upper bits. */
function slotOf(hash: number, size: number): number {
  return (((hash + hashRange / 2) * size) / hashRange) | 0;
}

/** By the lower bits, so that keys of one slot part when they leave it. As the size is prime a walk meets all slots. */
function strideOf(hash: number, size: number): number {
  return ((hash >>> 0) % (size - 1)) + 1;
}

/** Listing 1 of the paper: the member of each slot. */
function claimSlots(members: readonly PlacedMember[], size: number): Int32Array {
  const owners = new Int32Array(size).fill(-1);
  const at = new Int32Array(members.length);
  /** Each member's way from a slot to its next, less a round of all slots. */
  const steps = new Int32Array(members.length);
  const indices = new Int32Array(members.length);
  for (const [i, { key, index }] of members.entries()) {
    const hash = hashText(key);
    at[i] = hash % size;
    steps[i] = (Math.floor(hash / size) % (size - 1)) + 1 - size;
    indices[i] = index;
  }
  // One turn costs the greatest weight; who has saved less in all rounds so far waits. So all have the first turn, the
  // maxWeight has each, and equal weights go round as in the paper.
  const greatest = members.reduce((max, { weight }) => Math.max(max, weight), 0);
  const shares = Float64Array.from(members, ({ weight }) => weight / greatest);
  const turns = new Int32Array(members.length);
  for (let round = 1, left = size; left > 0; round++) {
    for (let i = 0; i < members.length && left > 0; i++) {
      if (round * (shares[i] as number) < (turns[i] as number)) continue;
      const step = steps[i] as number;
      let slot = at[i] as number;
      while (owners[slot] !== -1) {
        slot = (slot + step) | 0;
        slot = (slot + ((slot >> 31) & size)) | 0; // `if (slot < 0) slot += size`, which no processor could foresee
      }
      owners[slot] = indices[i] as number;
      at[i] = slot;
      turns[i] = (turns[i] as number) + 1;
      left--;
    }
  }
  return owners;
}

/** Whether a number is a prime, for the validation of a `tableSize`; false for what is no whole number. */
export function isPrime(number: number): boolean {
  if (!Number.isSafeInteger(number) || number < 2) return false;
  if (number % 2 === 0) return number === 2;
  for (let divisor = 3; divisor * divisor <= number; divisor += 2) if (number % divisor === 0) return false;
  return true;
}
