import { maxWeight } from "@grpc-lb/discovery";

/** The greatest integer that a scaled weight becomes: fine enough for a step of 0.1 %, and 4 000 000 of them stay within the sum. */
const scaledMax = 1_000;
/** What the weights of a priority, and those of a locality, may add up to: more is rejected by clients (gRFC A27). */
const maxSum = maxWeight;

/**
 * Weights as xDS takes them: integers of at least 1, whose sum is below 2^32. Integers whose sum is stay; otherwise all are scaled so that
 * the greatest becomes 1000.
 */
export function toIntegers(weights: readonly number[]): readonly number[] {
  const sum = weights.reduce((total, weight) => total + weight, 0);
  if (sum <= maxSum && weights.every((weight) => Number.isInteger(weight) && weight >= 1)) return weights;
  const max = weights.reduce((most, weight) => Math.max(most, weight), 0);
  return weights.map((weight) => Math.max(1, Math.round((weight / max) * scaledMax)));
}
