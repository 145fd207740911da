import type { Clock, Random } from "@grpc-lb/core";
import { durationFlag, integerFlag, numberFlag } from "@grpc-lb/program";
import type { LoadMeter, Outcome } from "./load.ts";
import { Places } from "./places.ts";

/** The flags that make a server slow, failing or small, as a real one may be. */
export const workloadFlags = {
  latency: durationFlag({ help: "how long each call takes", default: 0 }),
  errorRate: numberFlag({ help: "share of the calls that fail, from 0 to 1", default: 0, min: 0, max: 1 }),
  capacity: integerFlag({
    help: "how many calls that take time are served at once, the others wait in line; 0 for no limit",
    default: 0,
    defaultText: "no limit",
    min: 0,
  }),
};

/** What it takes to serve a call: a place among `capacity`, and in it `latencyMs`; at the end a share of the calls fails. */
export class Workload {
  readonly #latencyMs: number;
  readonly #errorRate: number;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #meter: LoadMeter;
  readonly #places: Places;

  constructor(
    options: { readonly latencyMs: number; readonly errorRate: number; readonly capacity: number },
    parts: { readonly clock: Clock; readonly random: Random; readonly meter: LoadMeter },
  ) {
    this.#latencyMs = options.latencyMs;
    this.#errorRate = options.errorRate;
    this.#clock = parts.clock;
    this.#random = parts.random;
    this.#meter = parts.meter;
    this.#places = new Places(options.capacity);
  }

  /**
   * Resolves when the call is to be answered or failed, or as soon as its client has gone; it never rejects.
   *
   * @param goneSignal makes a signal that is aborted when the client has gone; asked for by calls that wait alone
   */
  async serve(goneSignal: () => AbortSignal): Promise<Outcome> {
    this.#meter.begin();
    const isGone = this.#latencyMs > 0 && !(await this.#takeTime(goneSignal()));
    const outcome = isGone ? "cancelled" : this.#random() < this.#errorRate ? "failed" : "answered";
    this.#meter.end(outcome);
    return outcome;
  }

  /** Waits for a place, and then in it. Returns false when the client has `gone` before the end. */
  async #takeTime(gone: AbortSignal): Promise<boolean> {
    if (!(await this.#places.take(gone))) return false;
    await this.#clock.sleep(this.#latencyMs, gone);
    this.#places.leave();
    return !gone.aborted;
  }
}
