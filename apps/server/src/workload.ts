import type { Clock, Random } from "@grpc-lb/core";
import { durationFlag, integerFlag, numberFlag } from "@grpc-lb/program";
import type { LoadMeter, Outcome } from "./load.ts";
import { Semaphore } from "./semaphore.ts";

/** The flags that make a server slow, failing or small. */
export const workloadFlags = {
  latency: durationFlag({ help: "how long each call takes", default: 0 }),
  errorRate: numberFlag({ help: "share of the calls that fail, from 0 to 1", default: 0, min: 0, max: 1 }),
  capacity: integerFlag({
    help: "how many calls with a latency are served at once, the others wait in a queue; 0 for no limit",
    default: 0,
    defaultText: "no limit",
    min: 0,
  }),
};

/**
 * The work of a call: it waits for one of `capacity` permits, holds it for `latencyMs`, and then fails with a probability of
 * `errorRate`.
 */
export class Workload {
  readonly #latencyMs: number;
  readonly #errorRate: number;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #meter: LoadMeter;
  readonly #capacity: Semaphore;
  #isWarmingUp = false;

  constructor(
    options: { readonly latencyMs: number; readonly errorRate: number; readonly capacity: number },
    parts: { readonly clock: Clock; readonly random: Random; readonly meter: LoadMeter },
  ) {
    this.#latencyMs = options.latencyMs;
    this.#errorRate = options.errorRate;
    this.#clock = parts.clock;
    this.#random = parts.random;
    this.#meter = parts.meter;
    this.#capacity = new Semaphore(options.capacity);
  }

  /**
   * Resolves when the call is to be answered or failed, or as soon as its client has gone; never rejects.
   *
   * @param goneSignal creates a signal that is aborted when the client has gone; called only if the call has to wait
   */
  async serve(goneSignal: () => AbortSignal): Promise<Outcome> {
    if (this.#isWarmingUp) return "answered";
    this.#meter.start();
    const isGone = this.#latencyMs > 0 && !(await this.#work(goneSignal()));
    const outcome = isGone ? "cancelled" : this.#random() < this.#errorRate ? "failed" : "answered";
    this.#meter.end(outcome);
    return outcome;
  }

  /** Until `calls` has ended, every call is answered at once; afterwards the load is measured from zero. */
  async warmUp(calls: () => Promise<void>): Promise<void> {
    this.#isWarmingUp = true;
    try {
      await calls();
    } finally {
      this.#isWarmingUp = false;
      this.#meter.reset();
    }
  }

  /** @returns false when the client has gone before the end */
  async #work(gone: AbortSignal): Promise<boolean> {
    if (!(await this.#capacity.acquire(gone))) return false;
    await this.#clock.sleep(this.#latencyMs, gone);
    this.#capacity.release();
    return !gone.aborted;
  }
}
