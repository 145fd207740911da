import type { Clock } from "@grpc-lb/core";
import { TokenError } from "./token.ts";

/** A token and until when it is used, by the clock. */
export interface TimedToken {
  readonly token: string;
  /** From then on a new one is fetched. */
  readonly refreshMs: number;
  /** From then on it is not used any more. */
  readonly expiresMs: number;
}

/** How soon a fetch that failed is tried again, while the old token lasts. */
const retryMs = 1_000;

/**
 * Keeps a token until it is time for a new one. Calls that come at the same time share one fetch. When a fetch fails, the old token
 * is used until it expires.
 */
export function cacheToken(fetch: () => Promise<TimedToken>, clock: Pick<Clock, "now">): () => Promise<string> {
  let current: TimedToken | undefined;
  let fetching: Promise<string> | undefined;
  let retryAtMs = Number.NEGATIVE_INFINITY;
  const refresh = async (): Promise<string> => {
    try {
      current = await fetch();
      return current.token;
    } catch (error) {
      if (!current || clock.now() >= current.expiresMs)
        throw error instanceof TokenError ? error : new TokenError("it failed");
      retryAtMs = clock.now() + retryMs;
      return current.token;
    } finally {
      fetching = undefined;
    }
  };
  return async () => {
    const nowMs = clock.now();
    if (current && (nowMs < current.refreshMs || (nowMs < retryAtMs && nowMs < current.expiresMs)))
      return current.token;
    fetching ??= refresh();
    return fetching;
  };
}
