import type { Random } from "@grpc-lb/core";
import { validateWeights } from "../weights/validate-weights.ts";

/** In picks. Deadlines stay below about twice this number, so that each sum keeps 36 fractional bits. */
const rebaseAt = 2 ** 16;

/**
 * Takes members in turn, in proportion to their weights and evenly spaced: weighted round robin by earliest deadline first, as
 * in Envoy's scheduler and gRFC A58. A member of weight w is due every `total / w` picks.
 *
 * Of any m consecutive picks a member gets its exact share m · w / total, plus or minus less than 1 + w / (mean weight): less
 * than 2 with equal weights. With integer weights, every `total` consecutive picks contain each member exactly w times.
 *
 * Each member starts at a random phase, so that many clients with the same list do not pick in lockstep. Members that are due
 * at the same time go in the order of the list. New weights need a new scheduler. It runs indefinitely: deadlines are rebased.
 */
export class EdfScheduler {
  /** A binary heap by deadline: slot i of both arrays belongs to one member. Deadlines and periods are in picks. */
  readonly #deadlines: Float64Array;
  readonly #members: Int32Array;
  /** By member. */
  readonly #periods: Float64Array;

  /**
   * @param weights in any unit; a member of weight 0 is never picked
   * @param random called once per member, only here
   * @throws RangeError when a weight is negative or not finite, or none is above 0
   */
  constructor(weights: ArrayLike<number>, random: Random) {
    const total = validateWeights(weights);
    // Infinity for a member of weight 0, or of a weight so small that its turn comes after more picks than a number can hold.
    this.#periods = Float64Array.from(weights, (weight) => total / weight);
    this.#members = Int32Array.from([...this.#periods.keys()].filter((i) => this.#periods[i] !== Infinity));
    this.#deadlines = Float64Array.from(this.#members, (member) => random() * (this.#periods[member] as number));
    for (let slot = (this.#members.length >> 1) - 1; slot >= 0; slot--)
      this.#sink(slot, this.#deadlines[slot] as number, this.#members[slot] as number);
  }

  /** The index of the member whose turn it is. O(log n); allocates nothing. */
  next(): number {
    const member = this.#members[0] as number;
    const deadline = this.#deadlines[0] as number;
    this.#sink(0, deadline + (this.#periods[member] as number), member);
    if (deadline >= rebaseAt) this.#rebase(deadline);
    return member;
  }

  /** Puts a member into the free `slot`, or further down, below the members that are due earlier. */
  #sink(slot: number, deadline: number, member: number): void {
    const deadlines = this.#deadlines;
    const members = this.#members;
    let free = slot;
    for (;;) {
      let child = 2 * free + 1;
      if (child >= members.length) break;
      let childDeadline = deadlines[child] as number;
      let childMember = members[child] as number;
      const right = child + 1;
      if (right < members.length) {
        const rightDeadline = deadlines[right] as number;
        const rightMember = members[right] as number;
        if (isBefore(rightDeadline, rightMember, childDeadline, childMember)) {
          child = right;
          childDeadline = rightDeadline;
          childMember = rightMember;
        }
      }
      if (!isBefore(childDeadline, childMember, deadline, member)) break;
      deadlines[free] = childDeadline;
      members[free] = childMember;
      free = child;
    }
    deadlines[free] = deadline;
    members[free] = member;
  }

  /** Moves all deadlines back by `elapsed`, which keeps their order. */
  #rebase(elapsed: number): void {
    const deadlines = this.#deadlines;
    for (let slot = 0; slot < deadlines.length; slot++) deadlines[slot] = (deadlines[slot] as number) - elapsed;
  }
}

function isBefore(deadline: number, member: number, otherDeadline: number, otherMember: number): boolean {
  return deadline < otherDeadline || (deadline === otherDeadline && member < otherMember);
}
