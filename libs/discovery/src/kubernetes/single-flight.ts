import type { Clock } from "@grpc-lb/core";

interface Flight<T> {
  readonly result: Promise<T>;
  readonly ending: AbortController;
  /** Callers that still want the result. */
  waiting: number;
}

/**
 * Runs work once for all callers that arrive while it runs. Its signal is aborted when all of them have gone, or when it takes
 * too long; the next caller then starts it again.
 */
export class SingleFlight<T> {
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  #current: Flight<T> | undefined;

  constructor(clock: Clock, timeoutMs: number) {
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
  }

  /**
   * The result of the work that is running, else of `work`, which is started.
   *
   * @param signal is aborted when the caller no longer wants the result. Default: it always does
   */
  async do(work: (signal: AbortSignal) => Promise<T>, signal?: AbortSignal): Promise<T> {
    this.#current ??= this.#begin(work);
    const flight = this.#current;
    flight.waiting += 1;
    const leave = () => {
      flight.waiting -= 1;
      if (flight.waiting === 0) this.#end(flight, "nobody waits");
    };
    signal?.addEventListener("abort", leave, { once: true });
    if (signal?.aborted) leave();
    try {
      return await flight.result;
    } finally {
      signal?.removeEventListener("abort", leave); // the signal may live as long as the process
    }
  }

  #begin(work: (signal: AbortSignal) => Promise<T>): Flight<T> {
    const ending = new AbortController();
    const given = Promise.withResolvers<T>();
    const flight = { result: given.promise, ending, waiting: 0 };
    ending.signal.addEventListener("abort", () => given.reject(ending.signal.reason));
    const over = new AbortController();
    void this.#clock.sleep(this.#timeoutMs, over.signal, { background: true }).then(() => {
      if (!over.signal.aborted) this.#end(flight, `no answer within ${this.#timeoutMs / 1_000} s`);
    });
    given.promise.then(
      () => this.#forget(flight, over),
      () => this.#forget(flight, over),
    );
    work(ending.signal).then(given.resolve, given.reject);
    return flight;
  }

  #forget(flight: Flight<T>, over: AbortController): void {
    over.abort();
    if (this.#current === flight) this.#current = undefined;
  }

  #end(flight: Flight<T>, why: string): void {
    if (this.#current === flight) this.#current = undefined; // a new caller does not get what was broken off
    flight.ending.abort(new Error(why));
  }
}
