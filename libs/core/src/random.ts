/** A source of chance: numbers in [0, 1), as `Math.random` gives them. */
export type Random = () => number;

/**
 * A repeatable source of chance (the generator "mulberry32", 2^32 states): the same seed gives the same numbers on every
 * machine. For load balancing, laboratories and tests; never for secrets.
 */
export function createRandom(seed: number): Random {
  let state = seed | 0; // signed, as such numbers are kept without a box
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
