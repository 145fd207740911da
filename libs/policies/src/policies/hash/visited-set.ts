/**
 * Remembers whom a walk has asked, without allocating or clearing a set for each walk: a member is stamped with the
 * number of the walk. One walk at a time: who is asked must not walk.
 */
export class VisitedSet {
  readonly #stamps: Float64Array;
  #walk = 0;

  constructor(memberCount: number) {
    this.#stamps = new Float64Array(memberCount);
  }

  /** The number of a new walk. */
  start(): number {
    this.#walk += 1;
    return this.#walk;
  }

  /** Whether this walk meets the member for the first time. */
  isNew(member: number, walk: number): boolean {
    if (this.#stamps[member] === walk) return false;
    this.#stamps[member] = walk;
    return true;
  }
}
