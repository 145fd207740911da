import type { Measured } from "./protocol.ts";

/** The result of a call. */
export interface CallRecord {
  /** The address of the server. */
  readonly peer: string;
  /** The name of the status. */
  readonly status: string;
  /** From when the call was due to its end, in milliseconds. */
  readonly latencyMs: number;
  /** From when the call was due to its start, in milliseconds. */
  readonly lagMs: number;
}

/** Counts calls and collects their latencies. */
export class Tally {
  readonly #perPeer = new Map<string, number>();
  readonly #statuses = new Map<string, number>();
  readonly #latenciesMs: number[] = [];
  readonly #lagsMs: number[] = [];

  record({ peer, status, latencyMs, lagMs }: CallRecord): void {
    this.#perPeer.set(peer, (this.#perPeer.get(peer) ?? 0) + 1);
    this.#statuses.set(status, (this.#statuses.get(status) ?? 0) + 1);
    this.#lagsMs.push(lagMs);
    if (status === "OK") this.#latenciesMs.push(latencyMs);
  }

  measured(): Measured {
    return {
      calls: this.#lagsMs.length,
      perPeer: Object.fromEntries(this.#perPeer),
      statuses: Object.fromEntries(this.#statuses),
      p50Ms: quantile(this.#latenciesMs, 0.5),
      p99Ms: quantile(this.#latenciesMs, 0.99),
      lagP99Ms: quantile(this.#lagsMs, 0.99),
    };
  }
}

/** The quantile `q` of the values by the nearest-rank method; null without values. */
export function quantile(values: readonly number[], q: number): number | null {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? null;
}
