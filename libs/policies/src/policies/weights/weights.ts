import type { Child } from "../../balancer/child.ts";
import { metadataText } from "../../balancer/endpoint-info.ts";
import { type CommonConfig, parseCommonConfig } from "../../balancer/policy.ts";
import type { Fields } from "../../config/fields.ts";

/** How a new endpoint comes to its full share. */
export interface SlowStart {
  /** How long it takes from the endpoint's becoming READY, in milliseconds. */
  readonly windowMs: number;
  /** The shape: 1 is a straight line; greater rises faster at first. Default: 1. */
  readonly aggression: number;
  /** The share it begins with, in percent of its weight. Default: 10. */
  readonly minWeightPercent: number;
}

/** As protobuf's uint32, which other gRPC languages hold weights in; the sum of greater ones might be no number any more. */
const maxWeight = 2 ** 32 - 1;

/** What a weighted policy's configuration has beside its own. */
export interface WeightConfig extends CommonConfig {
  /** Weights by endpoint id, `host:port`, host, or pod name; they come before what discovery says. */
  readonly weights: ReadonlyMap<string, number>;
  /** The field of the endpoint's metadata that holds its weight; undefined: discovery's own `weight`. */
  readonly weightKey: string | undefined;
  readonly slowStart: SlowStart | undefined;
}

/**
 * Reads the fields that every weighted policy has. Those that hash have no slow start: weights that move all the time would
 * move keys from one endpoint to another all the time.
 */
export function parseWeightConfig(fields: Fields, { hasSlowStart } = { hasSlowStart: true }): WeightConfig {
  return {
    weights: fields.numbers("weights", { min: 0, max: maxWeight }),
    weightKey: fields.text("weightKey"),
    slowStart: hasSlowStart ? fields.object("slowStart", parseSlowStart) : undefined,
    ...parseCommonConfig(fields),
  };
}

const parseSlowStart = (fields: Fields): SlowStart => ({
  windowMs: fields.duration("window", 30_000, { min: 1 }),
  aggression: fields.number("aggression", 1, { min: 0, isMinExcluded: true }),
  minWeightPercent: fields.number("minWeightPercent", 10, { min: 0, max: 100 }),
});

/** The weight that was given to an endpoint, before slow start; never negative, and 1 where nobody gave any. */
export function givenWeight({ info }: Child, { weights, weightKey }: WeightConfig): number {
  const { id, address } = info;
  if (weights.size > 0) {
    const host = address.slice(0, address.lastIndexOf(":"));
    const mapped =
      weights.get(id) ??
      weights.get(address) ??
      weights.get(host) ??
      weights.get(metadataText(info, "podName") ?? host);
    if (mapped !== undefined) return mapped;
  }
  const own = weightKey === undefined ? info.weight : Number(metadataText(info, weightKey)?.trim() || Number.NaN);
  return own >= 0 ? Math.min(own, maxWeight) : 1;
}

/**
 * The part of its weight that an endpoint has so far, from `minWeightPercent` to 1, as Envoy computes it
 * (https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/load_balancing/slow_start).
 */
export function warmth(sinceReadyMs: number, { windowMs, aggression, minWeightPercent }: SlowStart): number {
  if (sinceReadyMs >= windowMs) return 1;
  const part = Math.max(sinceReadyMs, 1) / windowMs;
  return Math.max(minWeightPercent / 100, part ** (1 / aggression));
}

/** Weights as they are now. When all are 0 each counts 1: endpoints are there, and somebody must take the call. */
export function weightsNow(children: readonly Child[], config: WeightConfig, nowMs: number): Float64Array {
  const { slowStart } = config;
  const now = Float64Array.from(children, (child) => {
    const weight = givenWeight(child, config);
    // One that is used though outlier_detection has taken it out is not new.
    return slowStart ? weight * warmth(nowMs - (child.readyAtMs ?? Number.NEGATIVE_INFINITY), slowStart) : weight;
  });
  return now.some((weight) => weight > 0) ? now : now.fill(1);
}

/** How finely slow start moves: a window is cut into so many steps. */
const stepsInWindow = 50;
const leastStepMs = 100;

/** When the weights are to be computed anew, because an endpoint is still warming up; undefined for never. */
export function weightRefreshMs(
  children: readonly Child[],
  { slowStart }: WeightConfig,
  nowMs: number,
): number | undefined {
  if (!slowStart) return undefined;
  const isWarming = children.some(({ readyAtMs }) => readyAtMs !== undefined && nowMs - readyAtMs < slowStart.windowMs);
  return isWarming ? Math.max(leastStepMs, slowStart.windowMs / stepsInWindow) : undefined;
}
