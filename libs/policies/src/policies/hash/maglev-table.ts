import { inKeyOrder, type KeyedMember, type PlacedMember } from "./key-order.ts";
import { VisitedSet } from "./visited-set.ts";
import { hashText } from "./xxhash64.ts";

const hashRange = 2 ** 32;

/**
 * The lookup table of Google's Maglev (Eisenbud et al., "Maglev: A Fast and Reliable Software Network Load Balancer", NSDI 2016,
 * section 3.4), weighted as in Envoy: members take turns in claiming the next free slot of their own permutation of the slots,
 * and a request belongs to the slot of its hash. Members of equal weight differ by at most one slot; others get their share
 * plus or minus one turn. A lookup is O(1), and the same for all clients with the same members.
 *
 * A member that is not ready gives its keys to all others; no other key moves. A table that is rebuilt without the member moves
 * some of the other keys too: 0.3 % with 10 members and 65537 slots, 0.9 % with 300, 2.7 % with 10 members and 1009 slots. These
 * are means over sets of keys. A set of fifty whose permutations run in parallel moves several times as many.
 */
export class MaglevTable {
  readonly #slots: Uint16Array | Int32Array;
  readonly #visited: VisitedSet;
  readonly #present: number;

  /**
   * Builds a table in O(tableSize · log tableSize) with similar weights: some milliseconds for 65537 slots. One member of far
   * more weight than the others costs up to tableSize · members: 0.1 s with 1000.
   *
   * @param members a member of weight 0 gets no slot, any other at least one
   * @param tableSize a prime (`isPrime`) above the number of members; 100 times their number for an even spread; the paper and
   *   Envoy take 65537
   * @throws RangeError when a weight is negative or not finite, none is above 0, or `tableSize` is not such a prime
   */
  constructor(members: readonly KeyedMember[], tableSize: number) {
    if (!isPrime(tableSize)) throw new RangeError(`tableSize must be a prime, got ${tableSize}`);
    if (tableSize <= members.length)
      throw new RangeError(`tableSize must be > ${members.length}, the number of members, got ${tableSize}`);
    const placed = inKeyOrder(members);
    const owners = claimSlots(placed, tableSize);
    this.#slots = members.length <= 2 ** 16 ? new Uint16Array(owners) : owners;
    this.#visited = new VisitedSet(members.length);
    this.#present = placed.length;
  }

  /**
   * @param hash of the request, from `hashText32`
   * @param isReady by member, 0 if it cannot take calls
   * @returns the member that the hash belongs to, or the first ready one on the hash's own walk through all slots; -1 when no
   *   member is ready
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
   * Like `choose`, for hashing with bounded loads.
   *
   * @param accepts called at most once per member, because loads are expensive to compare; it must not use this table
   * @returns the first member on the hash's walk that `accepts`; -1 when none does
   */
  chooseWith(hash: number, accepts: (member: number) => boolean): number {
    const size = this.#slots.length;
    let at = slotOf(hash, size);
    const first = this.#slots[at] as number;
    if (accepts(first)) return first; // the common case, without a visited set
    this.#visited.start();
    this.#visited.add(first);
    const stride = strideOf(hash, size);
    for (let left = this.#present - 1; left > 0; ) {
      at = (at + stride) % size;
      const member = this.#slots[at] as number;
      if (!this.#visited.add(member)) continue;
      if (accepts(member)) return member;
      left--;
    }
    return -1;
  }
}

/** From the upper bits. */
function slotOf(hash: number, size: number): number {
  return (((hash + hashRange / 2) * size) / hashRange) | 0;
}

/** From the lower bits, so that keys of one slot take different walks. The size is prime, so a walk meets all slots. */
function strideOf(hash: number, size: number): number {
  return ((hash >>> 0) % (size - 1)) + 1;
}

/** Listing 1 of the paper: the member of each slot. */
function claimSlots(members: readonly PlacedMember[], size: number): Int32Array {
  const owners = new Int32Array(size).fill(-1);
  const at = new Int32Array(members.length);
  /** Each member's distance from a slot to its next, minus the number of slots. */
  const steps = new Int32Array(members.length);
  const indices = new Int32Array(members.length);
  for (const [i, { key, index }] of members.entries()) {
    const hash = hashText(key);
    at[i] = hash % size;
    steps[i] = (Math.floor(hash / size) % (size - 1)) + 1 - size;
    indices[i] = index;
  }
  // In each round a member earns its share of the greatest weight; a turn costs 1. So every member has a turn in the first
  // round, the greatest weight has one in each, and equal weights take turns as in the paper.
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
        slot = (slot + ((slot >> 31) & size)) | 0; // `if (slot < 0) slot += size` without a branch that no processor could predict
      }
      owners[slot] = indices[i] as number;
      at[i] = slot;
      turns[i] = (turns[i] as number) + 1;
      left--;
    }
  }
  return owners;
}

/** Whether a number is a prime, to validate a `tableSize`; false for a number that is not an integer. */
export function isPrime(number: number): boolean {
  if (!Number.isSafeInteger(number) || number < 2) return false;
  if (number % 2 === 0) return number === 2;
  for (let divisor = 3; divisor * divisor <= number; divisor += 2) if (number % divisor === 0) return false;
  return true;
}
