import type { Clock } from "@grpc-lb/core";

/**
 * How long instances are served on that a registry no longer lists after it failed, in milliseconds: it may have come back
 * empty, and instances that live register again. More than the longest pause of a registration, 3 s, and the longest wait for
 * an answer that does not come, 5 s, together.
 */
export const defaultMissingGraceMs = 10_000;

/** What `MissingInstances` is made with. */
export interface MissingInstancesOptions {
  readonly graceMs: number;
  readonly clock: Clock;
  /** Ends the grace period without a call. */
  readonly signal: AbortSignal;
  /** Called when the grace period is over, with the ids that are still missing: they are to be removed. */
  readonly onExpired: (ids: ReadonlySet<string>) => void;
}

/** The instances that a registry should list and does not, and that are served on for a grace period. */
export class MissingInstances {
  readonly #options: MissingInstancesOptions;
  #ids: Set<string> = new Set();
  #dueMs: number | undefined;

  constructor(options: MissingInstancesOptions) {
    this.#options = options;
  }

  get ids(): ReadonlySet<string> {
    return this.#ids;
  }

  /**
   * Replaces the missing ids after the registry was read.
   *
   * @param mayHaveLost whether this reading may have lost instances: then a new grace period begins; another reading does
   * not prolong it
   */
  replace(ids: ReadonlySet<string>, mayHaveLost: boolean): void {
    this.#ids = new Set(ids);
    if (ids.size === 0) {
      this.#dueMs = undefined;
      return;
    }
    if (this.#dueMs !== undefined && !mayHaveLost) return;
    const { clock, graceMs, signal } = this.#options;
    const dueMs = clock.now() + graceMs;
    this.#dueMs = dueMs;
    void clock.sleep(graceMs, signal, { background: true }).then(() => {
      if (signal.aborted || this.#dueMs !== dueMs) return;
      const expired = this.#ids;
      this.#ids = new Set();
      this.#dueMs = undefined;
      this.#options.onExpired(expired);
    });
  }

  /** An instance was registered again, or the registry itself has deleted it. */
  delete(id: string): void {
    this.#ids.delete(id);
    if (this.#ids.size === 0) this.#dueMs = undefined;
  }
}
