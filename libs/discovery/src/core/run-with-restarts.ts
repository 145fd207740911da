import { type Clock, createBackoff, type Random } from "@grpc-lb/core";
import type { DiscoveryError } from "./discovery-error.ts";

/** After a long outage a client must be up to date within seconds, so the bound is low; full jitter spreads the clients. */
const backoffBounds = { baseMs: 200, maxMs: 4_000 };
/** A refusal persists until an operator acts: a thousand clients without a right must not become a load. */
const deniedBackoffBounds = { baseMs: 1_000, maxMs: 30_000 };
/** An attempt that was healthy for this long was a good one: the failures before it no longer count. */
const steadyMs = 1_000;

/** Work that goes on until something ends it, and is then begun again. */
export interface Restarts {
  /**
   * Works until it fails, or returns to be begun again at once. Calls `onHealthy` when the server answers well; more than one
   * call is the same as one.
   */
  attempt(onHealthy: () => void, signal: AbortSignal): Promise<void>;
  /** Turns what an attempt threw into the error that decides on the backoff, and reports it. */
  onFailure(cause: unknown): DiscoveryError;
  readonly clock: Clock;
  readonly random: Random;
}

/**
 * Makes one attempt after the other until `signal` is aborted; when it has returned, no timer is left.
 *
 * A failed attempt is followed by a pause with full jitter: up to 200 ms at first, doubled by each failure, 4 s at most; for
 * `permissionDenied` from 1 s to 30 s; longer by what the server wants (Retry-After). An attempt that was healthy for a second
 * resets the pause. One that returns is begun again at once; a second one in a row that was not healthy for a second pauses too.
 */
export async function runWithRestarts(
  { attempt, onFailure, clock, random }: Restarts,
  signal: AbortSignal,
): Promise<void> {
  const backoff = createBackoff({ ...backoffBounds, random });
  const deniedBackoff = createBackoff({ ...deniedBackoffBounds, random });
  let wasBrief = false;
  while (!signal.aborted) {
    let healthyMs = Number.POSITIVE_INFINITY;
    let failure: DiscoveryError | undefined;
    try {
      await attempt(() => {
        healthyMs = Math.min(healthyMs, clock.now());
      }, signal);
    } catch (cause) {
      if (signal.aborted) return;
      failure = onFailure(cause);
    }
    if (signal.aborted) return;
    const isSteady = clock.now() - healthyMs >= steadyMs;
    if (isSteady) {
      backoff.reset();
      deniedBackoff.reset();
    }
    if (failure || (wasBrief && !isSteady)) {
      const { next } = failure?.code === "permissionDenied" ? deniedBackoff : backoff;
      await clock.sleep(next() + (failure?.retryAfterMs ?? 0), signal, { background: true });
    }
    wasBrief = !isSteady;
  }
}
