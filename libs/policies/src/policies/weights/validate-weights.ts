/**
 * The sum of the weights, in their unit. Throws a RangeError that names the first weight which is negative or no finite
 * number, or says that none is above zero: then there is nobody to choose, and the caller has to see to that before.
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
