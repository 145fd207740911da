import type { Clock } from "@grpc-lb/core";
import { SlidingSum } from "./sliding-sum.ts";

/** How a call ended: answered, failed because it was asked to, or given up by its client before either. */
export type Outcome = "answered" | "failed" | "cancelled";

/** What a server did over the last second. */
export interface Load {
  /** Calls a second that were answered or failed; one that its client gave up was not served. */
  readonly callsPerSecond: number;
  /** Of those, the failed. */
  readonly errorsPerSecond: number;
  /** The process's share of one core, divided by the weight; over 1 when several threads work. */
  readonly cpuUtilization: number;
  /** Calls in hand for each that may be served at once, divided by the weight: over 1 while calls wait. 0 without a capacity. */
  readonly applicationUtilization: number;
}

/** One second: short enough to see a change at once, long enough that ten calls a second are no noise. */
const window = { slots: 20, slotMs: 50 };

/** The processor time that this process has used so far, in milliseconds. */
export function processCpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/**
 * Measures the load of a server from the beginnings and ends of its calls. It has no timer: what lies between two calls is
 * reckoned at the second.
 */
export class LoadMeter {
  readonly #clock: Clock;
  readonly #cpuMs: () => number;
  readonly #capacity: number;
  readonly #weight: number;
  readonly #calls = new SlidingSum(window);
  readonly #errors = new SlidingSum(window);
  readonly #callMs = new SlidingSum(window);
  readonly #cpu = new SlidingSum(window);
  #inHand = 0;
  #countedToMs: number;
  #cpuReadAtMs: number;
  #cpuReadMs: number;

  /**
   * @param options.capacity how many calls are served at once, 0 for no limit
   * @param options.weight what each utilization is divided by, so that who balances by it gives that many times the calls
   */
  constructor(options: {
    readonly clock: Clock;
    readonly cpuMs: () => number;
    readonly capacity: number;
    readonly weight: number;
  }) {
    this.#clock = options.clock;
    this.#cpuMs = options.cpuMs;
    this.#capacity = options.capacity;
    this.#weight = options.weight;
    this.#countedToMs = this.#cpuReadAtMs = options.clock.now();
    this.#cpuReadMs = options.cpuMs();
  }

  /** A call has come, to be served or to wait. */
  begin(): void {
    this.#count();
    this.#inHand += 1;
  }

  /** A call that has begun is over. */
  end(outcome: Outcome): void {
    const now = this.#count();
    this.#inHand -= 1;
    if (outcome === "cancelled") return;
    this.#calls.add(1, now);
    if (outcome === "failed") this.#errors.add(1, now);
  }

  /** The load over the last second. */
  read(): Load {
    const now = this.#count();
    const inHand = this.#callMs.perMs(now);
    return {
      callsPerSecond: this.#calls.perMs(now) * 1000,
      errorsPerSecond: this.#errors.perMs(now) * 1000,
      cpuUtilization: this.#cpu.perMs(now) / this.#weight,
      applicationUtilization: this.#capacity === 0 ? 0 : inHand / this.#capacity / this.#weight,
    };
  }

  /** Counts the time since the last change, during which the same calls were in hand. */
  #count(): number {
    const now = this.#clock.now();
    this.#callMs.add(this.#inHand * (now - this.#countedToMs), now, this.#countedToMs);
    this.#countedToMs = now;
    // Asking the system takes longer than all the rest, and so is done once a slot.
    if (now - this.#cpuReadAtMs >= window.slotMs) {
      const cpuMs = this.#cpuMs();
      this.#cpu.add(cpuMs - this.#cpuReadMs, now, this.#cpuReadAtMs);
      this.#cpuReadAtMs = now;
      this.#cpuReadMs = cpuMs;
    }
    return now;
  }
}
