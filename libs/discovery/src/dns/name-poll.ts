import { type Backoff, type Clock, createBackoff, type Random } from "@grpc-lb/core";
import type { DiscoveryError } from "../core/discovery-error.ts";
import type { LastGood } from "../core/last-good.ts";
import type { SourceCounts } from "../core/source-counts.ts";
import { chooseInterval } from "./look-interval.ts";
import type { Look, NameLookup } from "./name-lookup.ts";
import { minRefreshMs } from "./target.ts";

/** What a poll of a name is made with. */
export interface NamePollOptions {
  readonly lookup: NameLookup;
  readonly refreshMs: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly counts: SourceCounts;
}

/** A name that is gone is looked for once more after this time. */
const confirmAfterMs = 1_000;
/** After a long outage a client must be up to date within seconds. */
const mostBackoffMs = 10_000;
/** Who has nothing waits for the first endpoint: node:dns does not tell how long "nothing" may be believed (RFC 2308). */
const whileEmptyMs = 5_000;

/** The loop that looks a name up again and again. One look at a time. */
export class NamePoll {
  readonly #options: NamePollOptions;
  readonly #good: LastGood;
  readonly #backoff: Backoff;
  /** How many looks since the last endpoint have found that there is nothing. */
  #empty = 0;

  constructor(options: NamePollOptions, good: LastGood) {
    this.#options = options;
    this.#good = good;
    const { refreshMs, random } = options;
    this.#backoff = createBackoff({ baseMs: minRefreshMs, maxMs: Math.min(refreshMs, mostBackoffMs), random });
  }

  /** Runs until `signal` is aborted; when it has returned, nothing is left. */
  async run(signal: AbortSignal): Promise<void> {
    const { lookup, clock, counts } = this.#options;
    counts.watches += 1;
    while (!signal.aborted) {
      counts.lists += 1;
      const look = await lookup.look(signal);
      if (signal.aborted) return;
      await clock.sleep(this.#take(look), signal, { background: true });
    }
  }

  /** Publishes what was found. @returns how long to wait for the next look, in milliseconds */
  #take(look: Look): number {
    const { lookup, clock, random, counts, refreshMs } = this.#options;
    if (look.t === "failed") {
      this.#fail(look.error);
      return minRefreshMs + this.#backoff.next();
    }
    this.#backoff.reset();
    counts.heard();
    const atMs = clock.now();
    if (look.t === "found") {
      this.#empty = 0;
      lookup.believe();
      if (look.error) counts.failed(look.error);
      this.#good.set({ endpoints: look.endpoints, atMs, error: look.error });
      return chooseInterval(look.ttlMs, refreshMs, random);
    }
    this.#empty += 1;
    const isUnknown = this.#good.endpoints === undefined;
    if (this.#empty === 1 && !isUnknown) return confirmAfterMs;
    if (this.#empty === 1) {
      this.#fail(look.reason); // calls need not wait for the second look
      return confirmAfterMs;
    }
    lookup.believe();
    if (this.#empty === 2 && look.isNoName && !isUnknown) counts.failed(look.reason);
    this.#good.set({ endpoints: [], atMs, error: look.isNoName ? look.reason : undefined });
    return chooseInterval(Math.min(whileEmptyMs, refreshMs), refreshMs, random);
  }

  #fail(error: DiscoveryError): void {
    this.#options.counts.failed(error);
    this.#good.fail(error);
  }
}
