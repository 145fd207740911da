/** A source of random numbers in [0, 1), such as `Math.random`. */
export type Random = () => number;

/**
 * Creates a repeatable source of random numbers (mulberry32, 2^32 states): the same seed gives the same numbers on every
 * machine. For load balancing and tests; never for secrets.
 */
export function createRandom(seed: number): Random {
  let state = seed | 0; // a small signed integer is not boxed by V8
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
