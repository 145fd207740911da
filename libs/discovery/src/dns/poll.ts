import { type Clock, createBackoff, type Random } from "@grpc-lb/core";
import type { Endpoint } from "../core/snapshot.ts";
import type { SnapshotStore } from "../core/snapshot-store.ts";
import type { Lookup, NameLookup } from "./name-lookup.ts";
import { minRefreshMs } from "./target.ts";

/** The options of `pollName`. */
export interface PollOptions {
  readonly lookup: NameLookup;
  readonly refreshMs: number;
  /** How long an endpoint stays in use after the last answer that contained it, in milliseconds; 0: until the next answer. */
  readonly unionMs: number;
  readonly clock: Clock;
  readonly random: Random;
}

/** After an answer without endpoints, a second lookup confirms it after this time. */
const confirmAfterMs = 1_000;
/** After a long outage a client must be up to date within seconds. */
const mostBackoffMs = 10_000;
/** The interval while there are no endpoints: node:dns does not return the TTL of a negative answer (RFC 2308). */
const whileEmptyMs = 5_000;

/** Looks a name up repeatedly, one lookup at a time, until `signal` is aborted. No timer or lookup is left when it returns. */
export async function pollName(options: PollOptions, store: SnapshotStore, signal: AbortSignal): Promise<void> {
  const { lookup, refreshMs, unionMs, clock, random } = options;
  const backoff = createBackoff({ baseMs: minRefreshMs, maxMs: Math.min(refreshMs, mostBackoffMs), random });
  const union = new Union(unionMs, clock);
  /** How many lookups in a row found no endpoint. */
  let empty = 0;

  /** Publishes the result of a lookup. @returns how long to wait before the next lookup, in milliseconds */
  const publish = (found: Lookup): number => {
    if (found.t === "failed") {
      store.fail(found.error);
      return minRefreshMs + backoff.next();
    }
    backoff.reset();
    if (found.t === "found") {
      empty = 0;
      lookup.confirm();
      store.endpoints.replaceAll(union.add(found.endpoints));
      store.sync({ problem: found.error });
      return chooseInterval(found.ttlMs, refreshMs, random);
    }
    empty += 1;
    if (empty === 1) {
      if (store.latest?.endpoints === undefined) store.fail(found.reason); // calls do not wait for the second lookup
      return confirmAfterMs;
    }
    lookup.confirm();
    store.endpoints.replaceAll(union.clear());
    store.sync({ problem: found.isNoName ? found.reason : undefined });
    return chooseInterval(Math.min(whileEmptyMs, refreshMs), refreshMs, random);
  };

  store.watches += 1;
  while (!signal.aborted) {
    store.lists += 1;
    const found = await lookup.run(signal);
    if (signal.aborted) return;
    await clock.sleep(publish(found), signal, { background: true });
  }
}

/** The endpoints of all answers within a window, for name servers that return only a part of them in each answer. */
class Union {
  readonly #windowMs: number;
  readonly #clock: Clock;
  readonly #seen = new Map<string, { readonly endpoint: Endpoint; readonly atMs: number }>();

  constructor(windowMs: number, clock: Clock) {
    this.#windowMs = windowMs;
    this.#clock = clock;
  }

  add(endpoints: readonly Endpoint[]): readonly Endpoint[] {
    if (this.#windowMs === 0) return endpoints;
    const nowMs = this.#clock.now();
    for (const endpoint of endpoints) this.#seen.set(endpoint.id, { endpoint, atMs: nowMs });
    for (const [id, { atMs }] of this.#seen) if (nowMs - atMs >= this.#windowMs) this.#seen.delete(id);
    return [...this.#seen.values()].map(({ endpoint }) => endpoint);
  }

  clear(): readonly Endpoint[] {
    this.#seen.clear();
    return [];
  }
}

/**
 * How long to wait before the next lookup, in milliseconds: until the answer expires, and up to a tenth longer. The jitter spreads
 * the queries of many clients, and lets a cache in between expire its answer first. At least a second, whatever the TTL, and at
 * most `refreshMs`.
 */
export function chooseInterval(ttlMs: number, refreshMs: number, random: Random): number {
  const jitter = random() * 0.1;
  if (ttlMs >= refreshMs) return Math.max(minRefreshMs, refreshMs * (1 - jitter));
  return Math.min(refreshMs, Math.max(minRefreshMs, ttlMs) * (1 + jitter));
}
