import { type Clock, systemClock } from "./clock.ts";
import type { Random } from "./random.ts";

/**
 * Where a library gets time and chance from. `createX(options)` uses the machine's; its twin `createXIn(options, context)`, which is
 * not published, is for tests.
 */
export interface Context {
  /** Default: the machine's monotonic clock. */
  readonly clock?: Clock | undefined;
  /** Default: `Math.random`. */
  readonly random?: Random | undefined;
}

/** Fills in the machine's clock and chance. */
export function completeContext({ clock = systemClock, random = Math.random }: Context): {
  readonly clock: Clock;
  readonly random: Random;
} {
  return { clock, random };
}
