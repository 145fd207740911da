import type { Clock } from "@grpc-lb/core";
import { SlidingSum } from "./sliding-sum.ts";

/** How a call ended: answered, failed by `--error-rate`, or cancelled by its client before either. */
export type Outcome = "answered" | "failed" | "cancelled";

/** The load of a server over the last second. */
export interface Load {
  /** Calls per second that were answered or failed; cancelled calls are not counted. */
  readonly callsPerSecond: number;
  /** The failed ones of these. */
  readonly errorsPerSecond: number;
  /** The process's share of one core, divided by the weight; above 1 when several threads work. */
  readonly cpuUtilization: number;
  /** Calls in progress divided by the capacity and by the weight: above 1 while calls wait. 0 without a capacity. */
  readonly applicationUtilization: number;
}

/** One second: short enough to show a change at once, long enough to smooth ten calls per second. */
const window = { slots: 20, slotMs: 50 };

/** The CPU time that this process has used so far, in milliseconds. */
export function processCpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/**
 * Measures the load of a server from the starts and ends of its calls. It has no timer: the time between two events is counted
 * at the second event.
 */
export class LoadMeter {
  readonly #clock: Clock;
  readonly #cpuMs: () => number;
  readonly #capacity: number;
  readonly #weight: number;
  #calls = new SlidingSum(window);
  #errors = new SlidingSum(window);
  #callMs = new SlidingSum(window);
  #cpu = new SlidingSum(window);
  #inProgress = 0;
  #countedToMs = 0;
  #cpuReadAtMs = 0;
  #cpuReadMs = 0;

  /**
   * @param options.capacity how many calls are served at once, 0 for no limit
   * @param options.weight divides each utilization, so that a client that balances by it sends that many times the calls
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
    this.reset();
  }

  /** Forgets the load so far, CPU time included. */
  reset(): void {
    this.#calls = new SlidingSum(window);
    this.#errors = new SlidingSum(window);
    this.#callMs = new SlidingSum(window);
    this.#cpu = new SlidingSum(window);
    this.#countedToMs = this.#cpuReadAtMs = this.#clock.now();
    this.#cpuReadMs = this.#cpuMs();
  }

  /** A call has started: it is served, or waits. */
  start(): void {
    this.#count();
    this.#inProgress += 1;
  }

  /** A call has ended. */
  end(outcome: Outcome): void {
    const now = this.#count();
    this.#inProgress -= 1;
    if (outcome === "cancelled") return;
    this.#calls.add(1, now);
    if (outcome === "failed") this.#errors.add(1, now);
  }

  /** Returns the load over the last second. */
  read(): Load {
    const now = this.#count();
    const inProgress = this.#callMs.perMs(now);
    return {
      callsPerSecond: this.#calls.perMs(now) * 1000,
      errorsPerSecond: this.#errors.perMs(now) * 1000,
      cpuUtilization: this.#cpu.perMs(now) / this.#weight,
      applicationUtilization: this.#capacity === 0 ? 0 : inProgress / this.#capacity / this.#weight,
    };
  }

  /** Counts the time since the last event, during which the same calls were in progress. */
  #count(): number {
    const now = this.#clock.now();
    this.#callMs.add(this.#inProgress * (now - this.#countedToMs), now, this.#countedToMs);
    this.#countedToMs = now;
    // The system call takes longer than the rest of this method, so it is made once per slot.
    if (now - this.#cpuReadAtMs >= window.slotMs) {
      const cpuMs = this.#cpuMs();
      this.#cpu.add(cpuMs - this.#cpuReadMs, now, this.#cpuReadAtMs);
      this.#cpuReadAtMs = now;
      this.#cpuReadMs = cpuMs;
    }
    return now;
  }
}
