/**
 * Checks weights and adds them up.
 *
 * @param weights in any unit
 * @returns their sum, > 0
 * @throws RangeError that names the first weight that is negative or not finite; or when all weights are 0 or there are none
 */
export function validateWeights(weights: ArrayLike<number>): number {
  let total = 0;
  for (let i = 0; i < weights.length; i++) {
    const weight = weights[i] as number;
    if (!(weight >= 0 && weight < Infinity))
      throw new RangeError(`weights[${i}] must be a finite number >= 0, got ${weight}`);
    total += weight;
  }
  if (total === 0) throw new RangeError(`one of ${weights.length} weights must be > 0, got none`);
  if (total === Infinity) throw new RangeError("weights must have a finite sum, got Infinity");
  return total;
}
