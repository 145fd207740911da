/** A probability of 0 would make one late call impossible, and the change undefined. */
const least = 1e-6;
const clamp = (p: number) => Math.min(Math.max(p, least), 1 - least);

/**
 * The index from which draws fit `after` best, when those before it fit `before` (maximum likelihood).
 *
 * @param draws whether each draw has happened
 * @param before the probability of a draw at first
 * @param after the probability at the end
 */
export function changePoint(draws: readonly boolean[], before: number, after: number): number {
  const gain = (draw: boolean) => {
    const [old, next] = [clamp(before), clamp(after)];
    return draw ? Math.log(old / next) : Math.log((1 - old) / (1 - next));
  };
  let [sum, best, index] = [0, 0, 0];
  for (const [n, draw] of draws.entries()) {
    sum += gain(draw);
    if (sum > best) [best, index] = [sum, n + 1];
  }
  return index;
}
