import type { Random } from "@grpc-lb/core";
import { validateWeights } from "../weights/validate-weights.ts";

/** In picks. Deadlines stay below about twice this, so that each sum keeps 36 bits behind the point. */
const rebaseAt = 2 ** 16;

/**
 * Takes members in turn, in proportion to their weights and evenly spaced: weighted round robin by earliest deadline
 * first, as Envoy's scheduler and gRFC A58 have it. A member of weight w is due every `total / w` picks.
 *
 * Of any m picks in a row, a member gets its exact share m · w / total give or take less than 1 + w / (mean weight):
 * less than 2 with equal weights. With whole weights, each `total` picks in a row hold each member exactly w times.
 *
 * Each member starts at a random phase, so that many clients with one list do not march in step. Who is due at one time
 * goes in the order of the list. New weights want a new scheduler; it may live for ever, as deadlines are rebased.
 */
export class EdfScheduler {
  /** A binary heap by deadline: slot i of these belongs to one member. Deadlines and periods are in picks. */
  readonly #deadlines: Float64Array;
  readonly #members: Int32Array;
  /** By member. */
  readonly #periods: Float64Array;

  /**
   * Weights are relative, in any unit; a member of weight 0 is never chosen. `random` is asked once a member, and here
   * only. Throws a RangeError when a weight is negative or not finite, or none is above 0.
   */
  constructor(weights: ArrayLike<number>, random: Random) {
    const total = validateWeights(weights);
    // Of weight 0, or of one so small that its turn comes after more picks than a number can say: Infinity.
    this.#periods = Float64Array.from(weights, (weight) => total / weight);
    this.#members = Int32Array.from([...this.#periods.keys()].filter((i) => this.#periods[i] !== Infinity));
    this.#deadlines = Float64Array.from(this.#members, (member) => random() * (this.#periods[member] as number));
    for (let slot = (this.#members.length >> 1) - 1; slot >= 0; slot--)
      this.#sink(slot, this.#deadlines[slot] as number, this.#members[slot] as number);
  }

  /** The index of the member whose turn it is; O(log n), and nothing is allocated. */
  next(): number {
    const member = this.#members[0] as number;
    const deadline = this.#deadlines[0] as number;
    this.#sink(0, deadline + (this.#periods[member] as number), member);
    if (deadline >= rebaseAt) this.#rebase(deadline);
    return member;
  }

  /** Puts a member into the free `slot`, or below it after those who are due before. */
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

  /** Sets the clock back by `elapsed` for all, which keeps their order. */
  #rebase(elapsed: number): void {
    const deadlines = this.#deadlines;
    for (let slot = 0; slot < deadlines.length; slot++) deadlines[slot] = (deadlines[slot] as number) - elapsed;
  }
}

function isBefore(deadline: number, member: number, otherDeadline: number, otherMember: number): boolean {
  return deadline < otherDeadline || (deadline === otherDeadline && member < otherMember);
}
