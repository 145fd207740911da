import { inKeyOrder, type KeyedMember } from "./key-order.ts";
import { VisitedSet } from "./visited-set.ts";
import { hashText, upper32 } from "./xxhash64.ts";

/** The bounds on the number of entries of a ring. */
export interface RingSizes {
  /** An integer >= 1. */
  readonly minSize: number;
  /** An integer >= minSize. With fewer entries than members, some members have none. */
  readonly maxSize: number;
}

const hashRange = 2 ** 32;

/** In entries: more than the rounding error of up to 8 million entries, the limit of gRFC A42. */
const roundingError = 1e-6;

/**
 * A ketama ring as in gRFC A42 and Envoy: each member has entries at many points of a circle of hashes, in proportion to its
 * weight, and a request belongs to the first entry at or after its own hash. Entries are ordered by 53 bits of their hashes, but
 * of a request's hash only the upper 32 bits count. So one of 2^33 / size requests (one of two million with 4096 entries) goes
 * to the entry before the one that all 64 bits would give.
 *
 * A member that is not ready gives its keys to the entries that follow its own, which belong to many members; no other key
 * moves. A ring that is rebuilt without the member moves more, because `minSize` is then shared by fewer members and each gets
 * more entries: of the other keys 8 % move too (10 members, minSize 1024). None of them moves where the number of entries per
 * member stays the same, as with `minSize` = members × entries per member.
 *
 * Of members of equal weight the busiest has 1.17 times the mean load with 103 entries each (10 members, minSize 1024), 1.5
 * times with 41 (100 members, 4096), 2 times with 11 and 3 times with 5. `MaglevTable` spreads more evenly.
 */
export class HashRing {
  /** The number of entries. */
  readonly size: number;
  /** The hashes of the entries as `hashText32` gives them, sorted. */
  readonly #hashes: Int32Array;
  readonly #owners: Int32Array;
  /** The range of hashes is cut into `size` equal buckets: for each, the first entry that is not before it. */
  readonly #firsts: Int32Array;
  readonly #visited: VisitedSet;
  readonly #present: number;

  /**
   * @param members a member of weight 0 gets no entry. Keys should differ: entries of equal keys are at equal points, and the
   *   first of two such members gets all calls of both while it is ready
   * @throws RangeError when a weight is negative or not finite, or none is above 0
   */
  constructor(members: readonly KeyedMember[], { minSize, maxSize }: RingSizes) {
    const placed = inKeyOrder(members);
    const total = placed.reduce((sum, { weight }) => sum + weight, 0);
    const least = placed.reduce((min, { weight }) => Math.min(min, weight), Infinity);
    // At least 1: a member of next to no weight must not leave the ring empty.
    const leastEntries = Math.max(1, Math.ceil((least * minSize) / total - roundingError));
    const scale = Math.min((leastEntries * total) / least, maxSize);

    const hashes: number[] = [];
    const owners: number[] = [];
    let weightSoFar = 0;
    for (const { key, weight, index } of placed) {
      // Targets come from the sum: a share of 2.5 entries becomes 2 here and 3 there, and errors do not add up.
      weightSoFar += weight;
      const target = (scale * weightSoFar) / total - roundingError;
      for (let i = 0; hashes.length < target; i++) {
        hashes.push(hashText(`${key}_${i}`));
        owners.push(index);
      }
    }

    this.size = hashes.length;
    const sorted = Float64Array.from(hashes).sort();
    this.#hashes = Int32Array.from(sorted, upper32);
    this.#firsts = new Int32Array(this.size + 1);
    for (let bucket = 0, at = 0; bucket <= this.size; bucket++) {
      while (at < this.size && this.#bucketOf(this.#hashes[at] as number) < bucket) at++;
      this.#firsts[bucket] = at;
    }
    this.#owners = new Int32Array(this.size).fill(-1);
    for (let i = 0; i < this.size; i++) {
      // Looking up the place is several times faster than sorting pairs with a comparison function.
      const hash = hashes[i] as number;
      let at = this.#find(upper32(hash));
      while ((sorted[at] as number) < hash || this.#owners[at] !== -1) at++;
      this.#owners[at] = owners[i] as number;
    }
    this.#visited = new VisitedSet(members.length);
    this.#present = new Set(owners).size;
  }

  /**
   * @param hash of the request, from `hashText32`
   * @param isReady by member, 0 if it cannot take calls
   * @returns the first ready member at or after the hash; -1 when no member on the ring is ready
   */
  choose(hash: number, isReady: Uint8Array): number {
    let at = this.#find(hash);
    for (let walked = 0; walked < this.size; walked++, at++) {
      if (at === this.size) at = 0;
      const member = this.#owners[at] as number;
      if (isReady[member] !== 0) return member;
    }
    return -1;
  }

  /**
   * Like `choose`, for hashing with bounded loads.
   *
   * @param accepts called at most once per member, because loads are expensive to compare; it must not use this ring
   * @returns the first member, in ring order from the hash, that `accepts`; -1 when none does
   */
  chooseWith(hash: number, accepts: (member: number) => boolean): number {
    this.#visited.start();
    let left = this.#present;
    let at = this.#find(hash);
    for (let walked = 0; walked < this.size && left > 0; walked++, at++) {
      if (at === this.size) at = 0;
      const member = this.#owners[at] as number;
      if (!this.#visited.add(member)) continue;
      if (accepts(member)) return member;
      left--;
    }
    return -1;
  }

  /**
   * The first entry at or after a hash; `size` after the last. Hashes are uniform, so this reads an entry or two of the bucket. A
   * binary search reads a dozen, and the processor mispredicts half of its branches.
   */
  #find(hash: number): number {
    const hashes = this.#hashes;
    let at = this.#firsts[this.#bucketOf(hash)] as number;
    while (at < hashes.length && (hashes[at] as number) < hash) at++;
    return at;
  }

  /** From 0 to `size` - 1. */
  #bucketOf(hash: number): number {
    return (((hash + hashRange / 2) * this.size) / hashRange) | 0;
  }
}
