import { validateWeights } from "../weights/validate-weights.ts";

/** A member of a hash table: the key it is hashed by, and its weight in any unit. */
export interface KeyedMember {
  readonly key: string;
  readonly weight: number;
}

/** A member that takes keys, with its index in the caller's list. */
export interface PlacedMember extends KeyedMember {
  readonly index: number;
}

/**
 * The members of a weight above 0, ordered by key, so that clients which list the same members in different orders build the
 * same table.
 *
 * @throws RangeError when a weight is negative or not finite, or none is above 0
 */
export function inKeyOrder(members: readonly KeyedMember[]): PlacedMember[] {
  validateWeights(members.map(({ weight }) => weight));
  return members
    .map(({ key, weight }, index) => ({ key, weight, index }))
    .filter(({ weight }) => weight > 0)
    .sort((a, b) => (a.key === b.key ? a.index - b.index : a.key < b.key ? -1 : 1));
}
