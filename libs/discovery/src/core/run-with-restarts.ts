import { type Clock, createBackoff, type Random } from "@grpc-lb/core";
import type { DiscoveryError } from "./discovery-error.ts";

/** After a long outage a client must be up to date within seconds, so the bound is low; full jitter spreads the clients. */
const backoffBounds = { baseMs: 200, maxMs: 3_000 };
/** A missing right persists until an operator grants it: a thousand clients without it must not load the server. */
const deniedBackoffBounds = { baseMs: 1_000, maxMs: 30_000 };
/** An attempt that was healthy for this long resets the backoff. */
const steadyMs = 1_000;

/** Work that is restarted whenever it ends. */
export interface Restarts {
  /**
   * Works until it fails, or returns to be restarted at once. Calls `onHealthy` when the server answers successfully; further
   * calls have no effect.
   */
  attempt(onHealthy: () => void, signal: AbortSignal): Promise<void>;
  /** Reports what an attempt threw, and returns it as the error that selects the backoff. */
  onFailure(cause: unknown): DiscoveryError;
  readonly clock: Clock;
  readonly random: Random;
}

/**
 * Runs one attempt after another until `signal` is aborted. No timer is left when it has returned.
 *
 * A failed attempt is followed by a pause with full jitter: up to 200 ms at first, doubled by each failure, 3 s at most. For
 * `permissionDenied` the bounds are 1 s and 30 s. The server's Retry-After is added to the pause. An attempt that was healthy for
 * a second resets the pause.
 *
 * An attempt that returns is restarted at once, unless both it and the attempt before were healthy for less than a second. Then
 * the same pause follows.
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
