import { status } from "@grpc/grpc-js";
import type { Child } from "../../balancer/child.ts";
import type { Policy } from "../../balancer/policy.ts";
import { AliasTable } from "../weights/alias-table.ts";
import { drawOther } from "../weights/draw.ts";
import { parseWeightConfig, type WeightConfig, weightRefreshMs, weightsNow } from "../weights/weights.ts";
import { Latency } from "./latency.ts";

export interface PeakEwmaConfig extends WeightConfig {
  /** After how long an old latency counts 1/e of what it did, in milliseconds. Default: 10 s. */
  readonly decayMs: number;
  /** What an endpoint is taken for while its first calls are under way, in milliseconds. Default: 30 ms. */
  readonly defaultRttMs: number;
}

/** An endpoint so many times as slow as another is left, were it a hundred times as heavy. */
const muchSlower = 2;

/** What tells of the server, not of the call: an endpoint that refuses at once must not look fast. */
const serverFailures: ReadonlySet<status> = new Set([
  status.UNKNOWN,
  status.DEADLINE_EXCEEDED,
  status.RESOURCE_EXHAUSTED,
  status.UNIMPLEMENTED,
  status.INTERNAL,
  status.UNAVAILABLE,
  status.DATA_LOSS,
]);

/**
 * `peak_ewma`, as Finagle and Linkerd have it: of two endpoints drawn at random, the one with the lower latency × (calls under
 * way + 1). Latency is a moving average that jumps up at once and comes down slowly.
 *
 * - A failed call counts as slow: twice what the endpoint was taken for, and never less than `defaultRtt`, so that one which
 *   fails fast does not draw all calls. A call that the client cancelled counts only when it was slower than the average.
 * - An endpoint that owes answers is taken for at least as slow as it has been silent: one that accepts calls and never
 *   answers is left at once, where an average would have to wait for the calls to end.
 * - One that was left comes back by itself: what is old counts less and less.
 * - One that was never tried is tried at once, with one call: taken for `defaultRtt` it would wait for ever beside faster ones.
 *
 * Endpoints are drawn by weight, and with unequal weights the one drawn first keeps the call unless the other is better for its
 * weight with the call than the first is without it. So shares are near the weights while latencies are; noise does not count
 * as a difference, but twice as slow is slow for any weight.
 *
 * Made for unary calls. A stream's length counts as its latency; for long streams take `least_request`.
 */
export const peakEwma: Policy<PeakEwmaConfig, Latency> = {
  name: "peak_ewma",
  parseConfig: (fields) => ({
    decayMs: fields.duration("decay", 10_000, { min: 1 }),
    defaultRttMs: fields.duration("defaultRtt", 30, { min: 1 }),
    ...parseWeightConfig(fields),
  }),
  createInstance: ({ clock, random }) => {
    let config: PeakEwmaConfig | undefined;
    return {
      countsCalls: true,
      createEndpointState: () => new Latency(),
      createPicker: (view) => {
        config = view.config;
        const { ready, nowMs } = view;
        const { decayMs, defaultRttMs } = view.config;
        const weights = weightsNow(ready, view.config, nowMs);
        const table = new AliasTable(weights);
        return () => {
          const first = table.pick(random());
          if (ready.length === 1) return ready[first] as Child<Latency>;
          const second = drawOther(table, random, first, ready.length);
          const now = clock.now();
          const a = ready[first] as Child<Latency>;
          const b = ready[second] as Child<Latency>;
          const weightA = weights[first] as number;
          const weightB = weights[second] as number;
          const latencyA = latencyOf(a, now, decayMs, defaultRttMs);
          const latencyB = latencyOf(b, now, decayMs, defaultRttMs);
          const ratio = weightB / weightA;
          // With equal weights all of the call counts on both sides, and what is left are its latencies there.
          const evenness = ratio < 1 ? ratio * ratio : 1 / (ratio * ratio);
          const part = evenness === 1 ? 1 : evenness + (1 - evenness) * Math.sqrt(random());
          const isBetter = latencyB * (b.inFlight + part) < latencyA * (a.inFlight + evenness * part) * ratio;
          return isBetter || (weightB > 0 && latencyB * (b.inFlight + 1) * muchSlower < latencyA) ? b : a;
        };
      },
      refreshMs: ({ ready, config, nowMs }) => weightRefreshMs(ready, config, nowMs),
      onCallEnded: ({ endpointState: latency }, { durationMs, status: ending }) => {
        if (!config) return;
        const { decayMs, defaultRttMs } = config;
        const nowMs = clock.now();
        const expectedMs = latency.at(nowMs, decayMs, defaultRttMs);
        if (serverFailures.has(ending)) latency.penalize(durationMs, nowMs, decayMs, defaultRttMs);
        else if (ending !== status.CANCELLED || durationMs > expectedMs) latency.observe(durationMs, nowMs, decayMs);
        else if (!latency.isKnown) latency.observe(expectedMs, nowMs, decayMs); // it was tried, and is not to be tried first again
      },
    };
  },
};

/** What a call is expected to take there, were it alone. */
function latencyOf(child: Child<Latency>, nowMs: number, decayMs: number, defaultRttMs: number): number {
  const latency = child.endpointState.at(nowMs, decayMs, defaultRttMs);
  if (child.inFlight === 0) return child.endpointState.isKnown ? latency : 0;
  return Math.max(latency, nowMs - child.silentSinceMs);
}
