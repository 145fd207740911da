import type { Clock } from "@grpc-lb/core";

interface UnderWay<T> {
  readonly result: Promise<T>;
  readonly ending: AbortController;
  waiting: number;
}

/**
 * Work that is done once for all who ask while it is under way. Its signal is aborted when all of them have gone, or when it
 * takes too long; then the next to ask begins it anew.
 */
export class SingleFlight<T> {
  readonly #clock: Clock;
  readonly #giveUpAfterMs: number;
  #underWay: UnderWay<T> | undefined;

  constructor(clock: Clock, giveUpAfterMs: number) {
    this.#clock = clock;
    this.#giveUpAfterMs = giveUpAfterMs;
  }

  /**
   * The result of the work that is under way, else of `work`, which is begun.
   *
   * @param signal is aborted when who asks needs it no more; without one, that is never so
   */
  async do(work: (signal: AbortSignal) => Promise<T>, signal?: AbortSignal): Promise<T> {
    this.#underWay ??= this.#begin(work);
    const underWay = this.#underWay;
    underWay.waiting += 1;
    const go = () => {
      underWay.waiting -= 1;
      if (underWay.waiting === 0) this.#end(underWay, "nobody waits");
    };
    signal?.addEventListener("abort", go, { once: true });
    if (signal?.aborted) go();
    try {
      return await underWay.result;
    } finally {
      signal?.removeEventListener("abort", go); // the signal may live as long as the process
    }
  }

  #begin(work: (signal: AbortSignal) => Promise<T>): UnderWay<T> {
    const ending = new AbortController();
    const given = Promise.withResolvers<T>();
    const underWay = { result: given.promise, ending, waiting: 0 };
    ending.signal.addEventListener("abort", () => given.reject(ending.signal.reason));
    const over = new AbortController();
    void this.#clock.sleep(this.#giveUpAfterMs, over.signal, { background: true }).then(() => {
      if (!over.signal.aborted) this.#end(underWay, `no answer within ${this.#giveUpAfterMs / 1_000} s`);
    });
    given.promise.then(
      () => this.#forget(underWay, over),
      () => this.#forget(underWay, over),
    );
    work(ending.signal).then(given.resolve, given.reject);
    return underWay;
  }

  #forget(underWay: UnderWay<T>, over: AbortController): void {
    over.abort();
    if (this.#underWay === underWay) this.#underWay = undefined;
  }

  #end(underWay: UnderWay<T>, why: string): void {
    if (this.#underWay === underWay) this.#underWay = undefined; // who comes now does not get what was broken off
    underWay.ending.abort(new Error(why));
  }
}
