import type { Measured } from "./measured.ts";

/** How a call ended. */
export interface CallRecord {
  /** The address that it went to. */
  readonly peer: string;
  /** The name of its status. */
  readonly status: string;
  /** From when it was due to its end, and to when it was sent, in milliseconds. */
  readonly latencyMs: number;
  readonly lagMs: number;
}

/** Counts calls. */
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

/** The least of the values that at least the part `q` of all does not exceed (nearest rank); null of none. */
export function quantile(values: readonly number[], q: number): number | null {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? null;
}
