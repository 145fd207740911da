import type { Random } from "@grpc-lb/core";

/**
 * When calls are due, in milliseconds from the start and below `untilMs`: at random, `rateHz` of them a second on the mean, each
 * independent of the others (a Poisson process), as from many clients that do not know of each other.
 */
export function* arrivals(rateHz: number, untilMs: number, random: Random): Generator<number> {
  for (let dueMs = 0; ; ) {
    dueMs += (-Math.log(1 - random()) * 1000) / rateHz;
    if (dueMs >= untilMs) return;
    yield dueMs;
  }
}
