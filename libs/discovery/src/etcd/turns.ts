import { type Clock, createBackoff, type Random } from "@grpc-lb/core";
import type { DiscoveryError } from "../core/discovery-error.ts";

/** After a long outage a client must be up to date within seconds, so the bound is low; full jitter spreads the herd. */
const backoffBounds = { baseMs: 200, maxMs: 4_000 };
/** Who is denied stays so until a person acts: a thousand clients without a role must not become a load. */
const deniedBackoffBounds = { baseMs: 1_000, maxMs: 30_000 };
/** Work that was under way for this long was good: what went before is forgotten. */
const steadyMs = 1_000;

/** Work that goes on until something ends it, and is then begun anew. */
export interface Turns {
  /** Works until it fails or is to begin anew at once; says by `onBegun` from when on all is well. */
  readonly turn: (onBegun: () => void, signal: AbortSignal) => Promise<void>;
  /** A turn threw; the next comes by itself. */
  readonly onFailure: (cause: unknown) => DiscoveryError;
  readonly clock: Clock;
  readonly random: Random;
}

/** Takes one turn after the other until `signal` is aborted: after a failure later, by full-jitter backoff, and else at once. */
export async function runTurns({ turn, onFailure, clock, random }: Turns, signal: AbortSignal): Promise<void> {
  const backoff = createBackoff({ ...backoffBounds, random });
  const deniedBackoff = createBackoff({ ...deniedBackoffBounds, random });
  let wasBrief = false;
  while (!signal.aborted) {
    let begunMs = Number.POSITIVE_INFINITY;
    let failure: DiscoveryError | undefined;
    try {
      await turn(() => {
        begunMs = Math.min(begunMs, clock.now());
      }, signal);
    } catch (cause) {
      if (signal.aborted) return;
      failure = onFailure(cause);
    }
    if (signal.aborted) return;
    const isSteady = clock.now() - begunMs >= steadyMs;
    if (isSteady) {
      backoff.reset();
      deniedBackoff.reset();
    }
    // Once may be at once, but not for ever.
    if (failure || (wasBrief && !isSteady)) {
      const { next } = failure?.code === "permissionDenied" ? deniedBackoff : backoff;
      await clock.sleep(next(), signal, { background: true });
    }
    wasBrief = !isSteady;
  }
}
