/**
 * The members that one walk has visited. It neither allocates nor clears a set per walk: a member is stamped with the number of
 * the walk. Only one walk at a time may use it.
 */
export class VisitedSet {
  readonly #stamps: Float64Array;
  #walk = 0;

  constructor(memberCount: number) {
    this.#stamps = new Float64Array(memberCount);
  }

  /** Starts a walk, with no member visited. */
  start(): void {
    this.#walk += 1;
  }

  /** Adds a member. @returns whether it was not visited before in this walk */
  add(member: number): boolean {
    if (this.#stamps[member] === this.#walk) return false;
    this.#stamps[member] = this.#walk;
    return true;
  }
}
