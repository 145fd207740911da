/** The greatest integer that a scaled weight becomes: fine enough for a step of 0.1 %, and 4000 of them stay below 2^22. */
const scaledMax = 1_000;
/** Integers up to this are kept as they are. */
const keptMax = 100_000;

/**
 * Weights as xDS takes them: integers of at least 1, whose sum is below 2^32 for up to 40 000 of them. Integers that are small enough stay;
 * otherwise all are scaled so that the greatest becomes 1000.
 */
export function toIntegers(weights: readonly number[]): readonly number[] {
  const max = weights.reduce((most, weight) => Math.max(most, weight), 0);
  if (max <= keptMax && weights.every((weight) => Number.isInteger(weight) && weight >= 1)) return weights;
  return weights.map((weight) => Math.max(1, Math.round((weight / max) * scaledMax)));
}
