/**
 * What every part of grpc-lb builds on: time, random numbers, backoff and durations. It depends on nothing, and it does not know
 * gRPC.
 *
 * ```ts
 * import { createBackoff, parseDuration, systemClock } from "@grpc-lb/core";
 *
 * const backoff = createBackoff({ baseMs: 200, maxMs: parseDuration("30s"), random: Math.random });
 * await systemClock.sleep(backoff.next());
 * ```
 */
export { type Backoff, createBackoff } from "./backoff.ts";
export { type Clock, systemClock } from "./clock.ts";
export { formatDuration, maxDurationMs, parseDuration } from "./duration.ts";
export { loadedCopies } from "./loaded-copies.ts";
export { messageOf } from "./message-of.ts";
export { describeMissingPackage } from "./missing-package.ts";
export { createRandom, type Random } from "./random.ts";
