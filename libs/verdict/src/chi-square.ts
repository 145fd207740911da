/** Pearson's chi-square statistic: the sum of (count − expected)² / expected. */
export function chiSquare(counts: readonly number[], expected: readonly number[]): number {
  return counts.reduce((sum, count, i) => {
    const want = expected[i] ?? 0;
    return sum + (count - want) ** 2 / want;
  }, 0);
}

/**
 * The probability that chance alone gives a statistic of at least `statistic` with `degrees` degrees of freedom: the
 * regularized upper incomplete gamma function Q(degrees/2, statistic/2), https://dlmf.nist.gov/8.2.E4. Accurate to about ten
 * digits.
 *
 * @throws RangeError when `degrees` is not a whole number >= 1, or `statistic` is negative
 */
export function chiSquareTail(statistic: number, degrees: number): number {
  if (!(Number.isInteger(degrees) && degrees >= 1))
    throw new RangeError(`degrees must be a whole number >= 1, got ${degrees}`);
  if (!(statistic >= 0)) throw new RangeError(`statistic must be >= 0, got ${statistic}`);
  // With an integer number of degrees Q obeys Q(a + 1, x) = Q(a, x) + x^a e^-x / Γ(a + 1) (DLMF 8.8.6), from
  // Q(1, x) = e^-x for even degrees and Q(1/2, x) = erfc(√x) for odd ones.
  const x = statistic / 2;
  let a = degrees % 2 === 0 ? 1 : 0.5;
  let tail = a === 1 ? Math.exp(-x) : complementaryError(Math.sqrt(x));
  let logTerm = a === 1 ? Math.log(x) - x : Math.log(x) / 2 - x - Math.log(Math.sqrt(Math.PI) / 2);
  for (; a < degrees / 2; a += 1) {
    if (x > 0) tail += Math.exp(logTerm);
    logTerm += Math.log(x) - Math.log(a + 1);
  }
  return Math.min(1, tail);
}

/** erfc(z) for z >= 0: the series of erf for small z (DLMF 7.6.2), the continued fraction for large (DLMF 7.9.3). */
function complementaryError(z: number): number {
  if (z < 2.5) {
    let term = z;
    let sum = z;
    for (let n = 1; Math.abs(term) > 1e-17 * sum; n++) {
      term *= (2 * z * z) / (2 * n + 1);
      sum += term;
    }
    return 1 - (2 / Math.sqrt(Math.PI)) * Math.exp(-z * z) * sum;
  }
  let fraction = z;
  for (let n = 60; n >= 1; n--) fraction = z + n / 2 / fraction;
  return Math.exp(-z * z) / (Math.sqrt(Math.PI) * fraction);
}
