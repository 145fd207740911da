import { status } from "@grpc/grpc-js";
import type { Child } from "../../balancer/child.ts";
import { type CountConfig, type Policy, parseCountConfig } from "../../balancer/policy.ts";
import { AliasTable } from "../weights/alias-table.ts";
import { currentWeights, parseWeightConfig, type WeightConfig, weightRefreshMs } from "../weights/weights.ts";
import { Latency } from "./latency.ts";

export interface PeakEwmaConfig extends CountConfig, WeightConfig {
  /** After that time an observed latency counts 1/e, in milliseconds. Default: 10 s. */
  readonly decayMs: number;
  /** The latency assumed while an endpoint's first calls are in flight, in milliseconds. Default: 30 ms. */
  readonly defaultRttMs: number;
}

/** An endpoint that is slower than another by this factor loses the comparison whatever its weight. */
const muchSlower = 2;

/** Statuses that blame the server, not the call: an endpoint that fails at once must not look fast. */
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
 * `peak_ewma`, as in Finagle and Linkerd: of two endpoints drawn at random, the one with the lower latency × (calls in flight +
 * 1). The latency is a moving average that rises at once and falls slowly.
 *
 * - A failed call counts as slow: twice the estimate, and at least `defaultRtt`, so that an endpoint that fails fast does not
 *   attract calls. A call that the client cancelled counts only when it took longer than the estimate.
 * - An endpoint with calls in flight counts as at least as slow as it has been silent: one that accepts calls and never
 *   responds is avoided at once, where an average would wait for the calls to end.
 * - An endpoint that was avoided is tried again: its estimate decays.
 * - A new endpoint is tried at once, with one call: with `defaultRtt` it would never be picked over faster ones.
 *
 * Endpoints are drawn by weight. With unequal weights the first one keeps the call unless the other, with the call, has the
 * lower latency for its weight than the first without it. So shares follow the weights while latencies are similar. Noise does
 * not count as a difference, but an endpoint that is twice as slow loses whatever its weight.
 *
 * For unary calls: the length of a stream counts as its latency. With long streams use `least_request`.
 */
export const peakEwma: Policy<PeakEwmaConfig, Latency> = {
  name: "peak_ewma",
  parseConfig: (fields) => ({
    decayMs: fields.duration("decay", 10_000, { min: 1 }),
    defaultRttMs: fields.duration("defaultRtt", 30, { min: 1 }),
    ...parseCountConfig(fields),
    ...parseWeightConfig(fields),
  }),
  createInstance: ({ clock, random }) => {
    let config: PeakEwmaConfig | undefined;
    return {
      countsCalls: true,
      longCallAfterMs: ({ longCallAfterMs }) => longCallAfterMs,
      createEndpointState: () => new Latency(),
      createPicker: (input) => {
        config = input.config;
        const { ready, nowMs } = input;
        const { decayMs, defaultRttMs } = input.config;
        const weights = currentWeights(ready, input.config, nowMs);
        const table = new AliasTable(weights);
        return () => {
          const first = table.pick(random());
          if (ready.length === 1) return ready[first] as Child<Latency>;
          const second = table.pickOther(first, random);
          const now = clock.now();
          const a = ready[first] as Child<Latency>;
          const b = ready[second] as Child<Latency>;
          const weightA = weights[first] as number;
          const weightB = weights[second] as number;
          const latencyA = latencyOf(a, now, decayMs, defaultRttMs);
          const latencyB = latencyOf(b, now, decayMs, defaultRttMs);
          const ratio = weightB / weightA;
          // With equal weights the whole call counts on both sides, and only the latencies matter.
          const evenness = ratio < 1 ? ratio * ratio : 1 / (ratio * ratio);
          const part = evenness === 1 ? 1 : evenness + (1 - evenness) * Math.sqrt(random());
          const isBetter = latencyB * (b.inFlight + part) < latencyA * (a.inFlight + evenness * part) * ratio;
          return isBetter || (weightB > 0 && latencyB * (b.inFlight + 1) * muchSlower < latencyA) ? b : a;
        };
      },
      refreshMs: ({ ready, config, nowMs }) => weightRefreshMs(ready, config, nowMs),
      onCallEnded: ({ endpointState: latency }, { durationMs, isLong, status: ending }) => {
        if (!config || (isLong && !serverFailures.has(ending))) return; // the length of a stream is not a latency
        const { decayMs, defaultRttMs } = config;
        const nowMs = clock.now();
        const expectedMs = latency.at(nowMs, decayMs, defaultRttMs);
        if (serverFailures.has(ending)) latency.penalize(durationMs, nowMs, decayMs, defaultRttMs);
        else if (ending !== status.CANCELLED || durationMs > expectedMs) latency.observe(durationMs, nowMs, decayMs);
        else if (!latency.isKnown) latency.observe(expectedMs, nowMs, decayMs); // it has been tried now
      },
    };
  },
};

/** The expected latency of a single call to the endpoint; 0 for an endpoint that was never tried. */
function latencyOf(child: Child<Latency>, nowMs: number, decayMs: number, defaultRttMs: number): number {
  const latency = child.endpointState.at(nowMs, decayMs, defaultRttMs);
  if (child.inFlight === 0) return child.endpointState.isKnown ? latency : 0;
  return Math.max(latency, nowMs - child.silentSinceMs);
}
