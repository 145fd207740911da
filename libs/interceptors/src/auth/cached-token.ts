import type { Clock } from "@grpc-lb/core";
import { TokenError } from "./token.ts";

/** A token and until when it is used, by the clock. */
export interface TimedToken {
  readonly token: string;
  /** From then on a new one is fetched, while calls use this one. */
  readonly refreshMs: number;
  /** From then on calls wait for the new one, unless the last fetch has failed. */
  readonly staleMs: number;
  /** From then on it is not used any more. */
  readonly expiresMs: number;
}

/** How soon a fetch that failed is tried again. The pause doubles with each failure. */
const minRetryMs = 1_000;
const maxRetryMs = 10_000;

/**
 * Keeps a token until it is time for a new one. Calls that come at the same time share one fetch, and do not wait for it while the old token
 * will do. When a fetch fails, the old token is used until it expires, and then calls fail with the fetch's error. The next fetch is after a
 * pause of 1 s, which doubles up to 10 s.
 */
export function cacheToken(fetch: () => Promise<TimedToken>, clock: Pick<Clock, "now">): () => Promise<string> {
  let current: TimedToken | undefined;
  let failure: { readonly error: TokenError; readonly pauseMs: number; readonly retryAtMs: number } | undefined;
  let fetching: Promise<void> | undefined;
  const refresh = async (): Promise<void> => {
    try {
      current = await fetch();
      failure = undefined;
    } catch (thrown) {
      const error = thrown instanceof TokenError ? thrown : new TokenError("it failed");
      const pauseMs = failure ? Math.min(failure.pauseMs * 2, maxRetryMs) : minRetryMs;
      failure = { error, pauseMs, retryAtMs: clock.now() + pauseMs };
    } finally {
      fetching = undefined;
    }
  };
  return async () => {
    const nowMs = clock.now();
    const isFresh = current !== undefined && nowMs < current.refreshMs;
    if (!isFresh && (!failure || nowMs >= failure.retryAtMs)) {
      fetching ??= refresh();
      const waitsMs = failure ? current?.expiresMs : current?.staleMs;
      if (waitsMs === undefined || nowMs >= waitsMs) await fetching;
    }
    if (current && (!failure || clock.now() < current.expiresMs)) return current.token;
    throw failure?.error;
  };
}
