/** The part of a load report that a weight is computed from; 0 for what the server does not report. */
export interface Load {
  readonly applicationUtilization: number;
  readonly cpuUtilization: number;
  /** Calls per second. */
  readonly rpsFractional: number;
  /** Errors per second. */
  readonly eps: number;
}

/** How reports become weights. Names and defaults are those of gRFC A58. */
export interface LoadWeightConfig {
  /** How long the reports of a new connection are ignored, in milliseconds. Default: 10 s. */
  readonly blackoutPeriodMs: number;
  /** How long the last report counts, in milliseconds. Default: 3 min. */
  readonly weightExpirationPeriodMs: number;
  /** By how much the error rate raises the utilization. Default: 1. */
  readonly errorUtilizationPenalty: number;
}

/** No server handles that many calls per second. Sums of greater weights would not be exact. */
const maxLoadWeight = Number.MAX_SAFE_INTEGER;

/** The weight of one endpoint by the load it reports: calls per second divided by utilization (gRFC A58). */
export class LoadWeight {
  #weight = 0;
  #nonEmptySinceMs: number | undefined;
  #lastUpdatedMs = Number.NEGATIVE_INFINITY;

  report(
    load: Load,
    { errorUtilizationPenalty }: Pick<LoadWeightConfig, "errorUtilizationPenalty">,
    nowMs: number,
  ): void {
    const { applicationUtilization, cpuUtilization, rpsFractional, eps } = load;
    const utilization = applicationUtilization > 0 ? applicationUtilization : cpuUtilization;
    if (!(rpsFractional > 0) || !(utilization > 0)) return; // gRFC A58: such a report is ignored
    const weight = rpsFractional / (utilization + Math.max(0, eps / rpsFractional) * errorUtilizationPenalty);
    if (!(weight > 0 && weight <= maxLoadWeight)) return;
    this.#nonEmptySinceMs ??= nowMs;
    this.#lastUpdatedMs = nowMs;
    this.#weight = weight;
  }

  /** The endpoint has a new connection, perhaps to a new process: the blackout period starts again. */
  reset(): void {
    this.#nonEmptySinceMs = undefined;
  }

  /** The current weight; undefined during the blackout period, after the last report has expired, or before the first one. */
  at(nowMs: number, { blackoutPeriodMs, weightExpirationPeriodMs }: LoadWeightConfig): number | undefined {
    if (nowMs - this.#lastUpdatedMs >= weightExpirationPeriodMs) {
      this.#nonEmptySinceMs = undefined;
      return undefined;
    }
    if (this.#nonEmptySinceMs === undefined) return undefined;
    return nowMs - this.#nonEmptySinceMs < blackoutPeriodMs ? undefined : this.#weight;
  }
}

/**
 * Fills the gaps: an endpoint that does not report gets the mean weight of those that do, so that it is not starved.
 *
 * @returns undefined when fewer than two endpoints report: there is nothing to compare (gRFC A58)
 */
export function fillWeights(weights: readonly (number | undefined)[]): Float64Array | undefined {
  const known = weights.filter((weight) => weight !== undefined);
  if (known.length < 2) return undefined;
  const mean = known.reduce((sum, weight) => sum + weight, 0) / known.length;
  return Float64Array.from(weights, (weight) => weight ?? mean);
}
