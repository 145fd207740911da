/** The part of a load report that makes a weight; 0 for what the server does not say. */
export interface Load {
  readonly applicationUtilization: number;
  readonly cpuUtilization: number;
  /** Calls a second. */
  readonly rpsFractional: number;
  /** Errors a second. */
  readonly eps: number;
}

/** How reports become weights, in milliseconds and as gRFC A58 names them. */
export interface LoadWeightConfig {
  /** How long an endpoint's reports are not believed after they begin. Default: 10 s. */
  readonly blackoutPeriodMs: number;
  /** How long the last report counts. Default: 3 min. */
  readonly weightExpirationPeriodMs: number;
  /** What an error rate adds to the utilization. Default: 1. */
  readonly errorUtilizationPenalty: number;
}

/** No server does as much; weights beyond it would not add up any more. */
const maxWeight = Number.MAX_SAFE_INTEGER;

/** The weight of one endpoint by what it reports of its load: calls a second for each part of it that is used (gRFC A58). */
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
    if (!(rpsFractional > 0) || !(utilization > 0)) return; // gRFC A58: such a report says nothing
    const weight = rpsFractional / (utilization + Math.max(0, eps / rpsFractional) * errorUtilizationPenalty);
    if (!(weight > 0 && weight <= maxWeight)) return;
    this.#nonEmptySinceMs ??= nowMs;
    this.#lastUpdatedMs = nowMs;
    this.#weight = weight;
  }

  /** The endpoint has a new connection, and perhaps another process behind it: the blackout begins anew. */
  reset(): void {
    this.#nonEmptySinceMs = undefined;
  }

  /** Undefined while there is nothing to go by. */
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
 * The weights of all: those that report by their load, the others with the mean of these, so that nobody starves for want of a
 * report. With fewer than two reports there is nothing to compare (gRFC A58), and `undefined` is the answer.
 */
export function fillWeights(weights: readonly (number | undefined)[]): Float64Array | undefined {
  const known = weights.filter((weight) => weight !== undefined);
  if (known.length < 2) return undefined;
  const mean = known.reduce((sum, weight) => sum + weight, 0) / known.length;
  return Float64Array.from(weights, (weight) => weight ?? mean);
}
