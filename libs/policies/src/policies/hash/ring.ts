import { inKeyOrder, type KeyedMember } from "./key-order.ts";
import { VisitedSet } from "./visited-set.ts";
import { hashText, upper32 } from "./xxhash64.ts";

/** How many entries a ring has: at least so many that all have their right share, but never too many. */
export interface RingSizes {
  /** A whole number >= 1. */
  readonly minSize: number;
  /** A whole number >= minSize. With fewer entries than members, some members have none. */
  readonly maxSize: number;
}

const hashRange = 2 ** 32;

/** In entries: more than rounding makes of a whole number of them, up to the 8 million that gRFC A42 allows. */
const roundingError = 1e-6;

/**
 * A ketama ring, as gRFC A42 and Envoy build it: each member stands at many places of a circle of hashes, in proportion
 * to its weight, and a request belongs to the first place at or after its own hash. Places are in the order of 53 bits of
 * their hashes; of a request's the upper 32 count, and so one of 2^33 / size requests, of two million with 4096 places,
 * goes to the place before that which all 64 bits would give it.
 *
 * A member that is not ready gives its keys to the places that follow its own, which are many members'; no other key
 * moves. A ring that is built anew without it is less kind, for `minSize` is then shared by fewer and each of them gets
 * more places: of the keys that were not its own, 8 % move too (10 members, minSize 1024), but none at all where the
 * number of entries a member stays the same. That is so with `minSize` = members * entries of each.
 *
 * Of equal members the busiest has 1.17 of the mean load with 103 entries each (10 members, minSize 1024), 1.5 with 41
 * (100 members, 4096), 2 with 11 and 3 with 5. For a more even spread take `MaglevTable`.
 */
export class HashRing {
  /** How many entries there are. */
  readonly size: number;
  /** As `hashText32` gives them, in order. */
  readonly #hashes: Int32Array;
  readonly #owners: Int32Array;
  /** Of the `size` equal parts of all hashes, the first entry that is not before it. */
  readonly #firsts: Int32Array;
  readonly #asked: VisitedSet;
  readonly #present: number;

  /**
   * Keys should differ. The entries of equal keys are at equal places, so that the first of two such members has all
   * calls of both until it is not ready. A member of weight 0 has no entry. Throws a RangeError when a weight is
   * negative or not finite, or none is above 0.
   */
  constructor(members: readonly KeyedMember[], { minSize, maxSize }: RingSizes) {
    const placed = inKeyOrder(members);
    const total = placed.reduce((sum, { weight }) => sum + weight, 0);
    const least = placed.reduce((min, { weight }) => Math.min(min, weight), Infinity);
    const leastEntries = Math.ceil((least * minSize) / total - roundingError);
    const scale = Math.min((leastEntries * total) / least, maxSize);

    const hashes: number[] = [];
    const owners: number[] = [];
    let weightSoFar = 0;
    for (const { key, weight, index } of placed) {
      // Targets come from the sum, so that a share of 2.5 entries is 2 here and 3 there, and no error adds up.
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
      // To find one's place is several times faster than to sort pairs by a function.
      const hash = hashes[i] as number;
      let at = this.#find(upper32(hash));
      while ((sorted[at] as number) < hash || this.#owners[at] !== -1) at++;
      this.#owners[at] = owners[i] as number;
    }
    this.#asked = new VisitedSet(members.length);
    this.#present = new Set(owners).size;
  }

  /**
   * The index of the first member at or after `hash` (see `hashText32`) for which `isReady`, by member, is not 0; -1 when
   * there is none on the ring.
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
   * Like `choose`, but asks: the first member, in the order of the ring from `hash` on, that `accepts`; -1 when none
   * does. Each is asked at most once, for loads are costly to compare; `accepts` must not choose from this ring itself.
   * For hashing with bounded loads.
   */
  chooseWith(hash: number, accepts: (member: number) => boolean): number {
    const walk = this.#asked.start();
    let left = this.#present;
    let at = this.#find(hash);
    for (let walked = 0; walked < this.size && left > 0; walked++, at++) {
      if (at === this.size) at = 0;
      const member = this.#owners[at] as number;
      if (!this.#asked.isNew(member, walk)) continue;
      if (accepts(member)) return member;
      left--;
    }
    return -1;
  }

  /**
   * The first entry whose hash is not below, or `size` after the last. As hashes are uniform, an entry or two of the
   * bucket are looked at, where a binary search looks at a dozen and the processor guesses half of its branches wrong.
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
