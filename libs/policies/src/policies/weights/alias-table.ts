import type { Random } from "@grpc-lb/core";
import { validateWeights } from "./validate-weights.ts";

/** After that many draws of the same member, all others together weigh next to nothing. */
const maxRedraws = 8;

/**
 * Draws members at random in proportion to their weights: Vose's alias method (M. D. Vose, "A linear algorithm for generating
 * random numbers with a given distribution", 1991). It is built in O(n), and a draw is O(1): as fast with a thousand members
 * as with three, unlike a search in cumulative sums.
 *
 * The table cuts [0, 1) into n columns of equal width. A column belongs to its member up to a threshold and to one other
 * member, the alias, above it. The table is immutable: new weights need a new table.
 */
export class AliasTable {
  readonly #columns: number;
  readonly #thresholds: Float64Array;
  readonly #aliases: Int32Array;

  /**
   * @param weights in any unit; a member of weight 0 is never drawn
   * @throws RangeError when a weight is negative or not finite, or none is above 0
   */
  constructor(weights: ArrayLike<number>) {
    const total = validateWeights(weights);
    const columns = weights.length;
    // A share of 1 fills one column: the threshold starts as the share, and the member gives away what is above 1.
    const thresholds = Float64Array.from(weights, (weight) => (weight / total) * columns);
    // Rounding can leave a column that is not full. The missing part, some 2^-53 of all, goes to the member of the greatest
    // weight, because the column of a member of weight 0 must have an alias.
    const aliases = new Int32Array(columns).fill(thresholds.indexOf(thresholds.reduce((a, b) => Math.max(a, b))));

    // One array holds both stacks: members with less than a column grow from the left, those with more from the right.
    const waiting = new Int32Array(columns);
    let small = 0;
    let large = columns;
    for (let i = 0; i < columns; i++) {
      if ((thresholds[i] as number) < 1) waiting[small++] = i;
      else waiting[--large] = i;
    }
    while (small > 0 && large < columns) {
      const taker = waiting[--small] as number;
      const giver = waiting[large] as number;
      aliases[taker] = giver;
      // This order of additions keeps the error small (Vose): the giver has more than 1, so the first sum loses nothing.
      const left = (thresholds[giver] as number) + (thresholds[taker] as number) - 1;
      thresholds[giver] = left;
      if (left < 1) {
        large++;
        waiting[small++] = giver;
      }
    }
    while (large < columns) thresholds[waiting[large++] as number] = 1;

    this.#columns = columns;
    this.#thresholds = thresholds;
    this.#aliases = aliases;
  }

  /**
   * @param random uniform in [0, 1); one number decides both column and side
   * @returns the index of a member
   */
  pick(random: number): number {
    const at = random * this.#columns;
    const column = Math.floor(at);
    return at - column < (this.#thresholds[column] as number) ? column : (this.#aliases[column] as number);
  }

  /**
   * Draws another member than `taken`, by weight. When both draws of a comparison may be the same member, the worst of three is
   * compared only with itself in every ninth pair, and gets that call.
   *
   * @returns the index of a member; `taken` when it is the only one
   */
  pickOther(taken: number, random: Random): number {
    if (this.#columns === 2) return 1 - taken;
    for (let redraw = 0; redraw < maxRedraws; redraw++) {
      const drawn = this.pick(random());
      if (drawn !== taken) return drawn;
    }
    return (taken + 1) % this.#columns;
  }
}
