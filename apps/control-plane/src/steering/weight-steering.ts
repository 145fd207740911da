/** The load of one endpoint over the last interval. */
export interface EndpointLoad {
  /** Calls per second that have ended. */
  readonly callsPerSecond: number;
  /** The failed ones of these. */
  readonly errorsPerSecond: number;
  /**
   * How busy it is, in any unit that all endpoints share and that grows in proportion to its calls: the utilization that it reports,
   * or the calls in progress.
   */
  readonly utilization: number;
}

/** How loads become factors. */
export interface WeightSteeringOptions {
  /** The least and the most that a weight is multiplied by: `minFactor` <= 1 <= `maxFactor`. */
  readonly minFactor: number;
  readonly maxFactor: number;
  /**
   * After that time without a report, an endpoint counts as one that does not report, in milliseconds. It is three times the time
   * between its last two reports instead where that is longer, and while there is only one.
   */
  readonly staleMs: number;
}

/** The time constant of the smoothing: after 5 s a factor has gone 63 % of the way to where the load wants it. */
const smoothingMs = 5_000;

/** A factor changes by at most 25 % in one update: a wrong report cannot move the calls to another endpoint at once. */
const maxStep = 1.25;

/** By how much the error rate raises the utilization; the default of gRFC A58. */
const errorPenalty = 1;

/** How often an endpoint reports that has done so once: servers of gRPC report every 30 s at most, whatever they are asked for. */
const firstGapMs = 30_000;
/** A longer gap is a break. */
const maxGapMs = 60_000;
const staleGaps = 3;

interface EndpointState {
  factor: number;
  updatedMs: number;
  /** Calls per second divided by utilization: how much the endpoint can do. Undefined before the first report. */
  capacity: number | undefined;
  reportedMs: number | undefined;
  /** The time between its last two reports. */
  gapMs: number;
}

/**
 * Computes by which factors the weights of a service's endpoints are multiplied, so that each is as busy as the others. Numbers and
 * times only: no clock, no I/O.
 *
 * What an endpoint can do is its calls per second divided by its utilization (gRFC A58). Both grow with the share of the calls, so
 * the quotient does not depend on it, and there is nothing that could swing. The factor of an endpoint goes to its quotient divided
 * by the mean of all: smoothed over 5 s, by at most 25 % in one update, within bounds. An endpoint that does not report, or stops to
 * report, goes to 1, the mean, at the same speed. While fewer than two report there is nothing to compare, and all go to 1.
 */
export class WeightSteering {
  readonly #options: WeightSteeringOptions;
  readonly #states = new Map<string, EndpointState>();

  constructor(options: WeightSteeringOptions) {
    this.#options = options;
  }

  /**
   * Takes a report. One without calls or utilization says nothing, and is ignored; so is one of an endpoint that is not known.
   *
   * @param reportedMs when it was made; the same report may be given again while there is none that is newer
   */
  report(id: string, load: EndpointLoad, reportedMs: number): void {
    const state = this.#states.get(id);
    const capacity = capacityOf(load);
    if (!state || capacity === undefined) return;
    state.capacity = capacity;
    const { reportedMs: lastMs } = state;
    if (lastMs !== undefined && reportedMs <= lastMs) return;
    if (lastMs !== undefined) state.gapMs = Math.min(reportedMs - lastMs, maxGapMs);
    state.reportedMs = reportedMs;
  }

  /** How many endpoints have a report that counts. */
  reporting(nowMs: number): number {
    return [...this.#states.values()].filter((state) => this.#capacity(state, nowMs) !== undefined).length;
  }

  /**
   * Moves the factors and returns them. Endpoints that are not named are forgotten; new ones begin at 1.
   *
   * @param nowMs must not go backwards
   */
  update(ids: Iterable<string>, nowMs: number): ReadonlyMap<string, number> {
    const current = new Set(ids);
    for (const id of this.#states.keys()) if (!current.has(id)) this.#states.delete(id);
    for (const id of current) {
      if (this.#states.has(id)) continue;
      const unreported = { capacity: undefined, reportedMs: undefined, gapMs: firstGapMs };
      this.#states.set(id, { factor: 1, updatedMs: nowMs, ...unreported });
    }
    const { minFactor, maxFactor } = this.#options;
    const known = [...this.#states.values()].flatMap((state) => this.#capacity(state, nowMs) ?? []);
    const mean = known.reduce((sum, capacity) => sum + capacity, 0) / known.length;
    const factors = new Map<string, number>();
    for (const [id, state] of this.#states) {
      const capacity = known.length < 2 ? undefined : this.#capacity(state, nowMs);
      const wanted = capacity === undefined ? 1 : clamp(capacity / mean, minFactor, maxFactor);
      state.factor = approach(state.factor, wanted, nowMs - state.updatedMs);
      state.updatedMs = nowMs;
      factors.set(id, state.factor);
    }
    return factors;
  }

  #capacity({ capacity, reportedMs, gapMs }: EndpointState, nowMs: number): number | undefined {
    if (reportedMs === undefined) return undefined;
    return nowMs - reportedMs < Math.max(this.#options.staleMs, staleGaps * gapMs) ? capacity : undefined;
  }
}

/** The greatest quotient that counts: no server is that fast, and sums of greater ones would not be exact. */
const maxCapacity = 1e12;

function capacityOf({ callsPerSecond, errorsPerSecond, utilization }: EndpointLoad): number | undefined {
  if (!(callsPerSecond > 0) || !(utilization > 0)) return undefined; // also NaN
  const errorRate = errorsPerSecond > 0 ? errorsPerSecond / callsPerSecond : 0;
  const capacity = callsPerSecond / (utilization + errorRate * errorPenalty);
  return capacity > 0 && capacity <= maxCapacity ? capacity : undefined;
}

/** In steps that are the same upwards and downwards: on a logarithmic scale. */
function approach(factor: number, wanted: number, elapsedMs: number): number {
  const part = 1 - Math.exp(-Math.max(0, elapsedMs) / smoothingMs);
  const step = clamp((wanted / factor) ** part, 1 / maxStep, maxStep);
  return factor * step;
}

const clamp = (value: number, min: number, max: number) => Math.min(Math.max(value, min), max);
