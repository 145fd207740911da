import { maxWeight } from "@grpc-lb/discovery";
import type { Child } from "../../balancer/child.ts";
import { metadataText } from "../../balancer/endpoint-info.ts";
import { type CommonConfig, parseCommonConfig } from "../../balancer/policy.ts";
import type { Fields } from "../../config/fields.ts";

/** How a new endpoint's share of the calls grows to its full weight. */
export interface SlowStart {
  /** How long the growth takes from when the endpoint became READY, in milliseconds. Default: 30 s. */
  readonly windowMs: number;
  /** The shape of the growth: 1 is linear; a greater number rises faster at first. Default: 1. */
  readonly aggression: number;
  /** The share at the start, in percent of the weight. Default: 10. */
  readonly minWeightPercent: number;
}

/** The fields that every weighted policy has. */
export interface WeightConfig extends CommonConfig {
  /** Weights by endpoint id, `host:port`, host, or pod name. They override discovery's. Default: none. */
  readonly weights: ReadonlyMap<string, number>;
  /** The field of the endpoint's metadata that holds its weight. Default: discovery's own `weight`. */
  readonly weightKey: string | undefined;
  /** Default: undefined, a new endpoint has its full share at once. */
  readonly slowStart: SlowStart | undefined;
}

/**
 * Reads the fields that every weighted policy has. Hash policies have no slow start: a weight that changes all the time would
 * move keys between endpoints all the time.
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

/** The configured weight of an endpoint, before slow start: from 0 to `maxWeight`, and 1 where none is given. */
export function configuredWeight({ info }: Child, { weights, weightKey }: WeightConfig): number {
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
 * The part of its weight that an endpoint has reached, from `minWeightPercent` to 1, as Envoy computes it
 * (https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/load_balancing/slow_start).
 *
 * @param sinceReadyMs how long the endpoint has been READY
 */
export function warmth(sinceReadyMs: number, { windowMs, aggression, minWeightPercent }: SlowStart): number {
  if (sinceReadyMs >= windowMs) return 1;
  const part = Math.max(sinceReadyMs, 1) / windowMs;
  return Math.max(minWeightPercent / 100, part ** (1 / aggression));
}

/** The current weights of some children. When all weights are 0 each counts as 1: some endpoint must take the call. */
export function currentWeights(children: readonly Child[], config: WeightConfig, nowMs: number): Float64Array {
  const { slowStart } = config;
  const weights = Float64Array.from(children, (child) => {
    const weight = configuredWeight(child, config);
    // An endpoint that takes calls although outlier_detection has ejected it is not new.
    return slowStart ? weight * warmth(nowMs - (child.readyAtMs ?? Number.NEGATIVE_INFINITY), slowStart) : weight;
  });
  return weights.some((weight) => weight > 0) ? weights : weights.fill(1);
}

/** A slow start window is cut into that many steps. */
const stepsInWindow = 50;
const minStepMs = 100;

/** After how many milliseconds weights change because an endpoint is in its slow start; undefined for never. */
export function weightRefreshMs(
  children: readonly Child[],
  { slowStart }: WeightConfig,
  nowMs: number,
): number | undefined {
  if (!slowStart) return undefined;
  const isWarming = children.some(({ readyAtMs }) => readyAtMs !== undefined && nowMs - readyAtMs < slowStart.windowMs);
  return isWarming ? Math.max(minStepMs, slowStart.windowMs / stepsInWindow) : undefined;
}
