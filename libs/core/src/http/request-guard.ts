import type { Clock } from "../clock.ts";

/**
 * The ways in which a request ends before its answer does: its owner aborts it, the server says nothing for longer than it
 * may, or the whole takes too long. One `AbortSignal` stands for all, and nothing is left on the owner's signal, which may
 * live for months.
 */
export class RequestGuard {
  readonly #owner: AbortSignal;
  readonly #clock: Clock;
  readonly #ending = new AbortController();
  #isReleased = false;
  /** Ends the present nap, when the deadline has come nearer. */
  #nap: AbortController | undefined;
  #allowedMs = Number.POSITIVE_INFINITY;
  #dueMs = Number.POSITIVE_INFINITY;
  /** Whether anything was heard since the last `allow`. */
  #hasHeard = false;
  readonly #totalMs: number;
  readonly #endMs: number;

  /** @param totalMs how long the whole may take, however much is heard; it counts once `allow` was called */
  constructor(owner: AbortSignal, clock: Clock, totalMs = Number.POSITIVE_INFINITY) {
    this.#owner = owner;
    this.#clock = clock;
    this.#totalMs = totalMs;
    this.#endMs = clock.now() + totalMs;
    if (owner.aborted) this.#end();
    else owner.addEventListener("abort", this.#end);
  }

  /** Ends the request. */
  get signal(): AbortSignal {
    return this.#ending.signal;
  }

  /** From now on the server may be silent for `ms` at a time. */
  allow(ms: number): void {
    this.#allowedMs = ms;
    const isNearer = this.#clock.now() + ms < this.#dueMs;
    this.heard();
    this.#hasHeard = false;
    if (!isNearer) return; // the nap under way ends before the deadline, and looks again
    this.#nap?.abort();
    void this.#watch();
  }

  /** The server said something. */
  heard(): void {
    this.#dueMs = this.#clock.now() + this.#allowedMs;
    this.#hasHeard = true;
  }

  /** The work's result, or a rejection as soon as the request ends, however long the work goes on. */
  async race<T>(work: Promise<T>): Promise<T> {
    const ended = Promise.withResolvers<never>();
    const end = () => ended.reject(this.signal.reason);
    this.signal.addEventListener("abort", end);
    if (this.signal.aborted) end();
    try {
      return await Promise.race([work, ended.promise]);
    } finally {
      this.signal.removeEventListener("abort", end);
    }
  }

  /** The request has ended: no timer and no listener is left. */
  release(): void {
    this.#owner.removeEventListener("abort", this.#end);
    this.#isReleased = true;
    this.#nap?.abort();
  }

  readonly #end = () => this.#ending.abort(this.#owner.reason);

  #lateness(): Error {
    const seconds = (ms: number) => `${Math.round(ms / 1000)} s`;
    // Where both times are the same, the silence says more.
    return this.#dueMs <= this.#endMs || (!this.#hasHeard && this.#allowedMs >= this.#totalMs)
      ? new Error(`nothing heard for ${seconds(this.#allowedMs)}`)
      : new Error(`no whole answer within ${seconds(this.#totalMs)}`);
  }

  async #watch(): Promise<void> {
    const nap = new AbortController();
    this.#nap = nap;
    while (!this.#isReleased && !this.signal.aborted) {
      const leftMs = Math.min(this.#dueMs, this.#endMs) - this.#clock.now();
      if (leftMs <= 0) return this.#ending.abort(this.#lateness());
      await this.#clock.sleep(leftMs, nap.signal, { background: true });
      if (nap.signal.aborted) return;
    }
  }
}
