/**
 * What every part of grpc-lb stands on and none of it knows gRPC: time, chance and durations.
 *
 * ```ts
 * import { parseDuration, systemClock } from "@grpc-lb/core";
 *
 * await systemClock.sleep(parseDuration("300ms"));
 * ```
 */
export { type Backoff, createBackoff } from "./backoff.ts";
export { type Clock, systemClock } from "./clock.ts";
export { formatDuration, maxDurationMs, parseDuration } from "./duration.ts";
export { loadedCopies } from "./loaded-copies.ts";
export { messageOf } from "./message-of.ts";
export { createRandom, type Random } from "./random.ts";
