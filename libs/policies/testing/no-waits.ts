import type { ConnectionTiming } from "../src/balancer/connection-timing.ts";

/**
 * For tests about other things than the timing of connections: calls do not wait for further connections, any connection counts as a
 * good one, and an endpoint that has left is forgotten.
 */
export const noWaits: { readonly timing: ConnectionTiming } = {
  timing: {
    minGatherMs: 0,
    maxGatherMs: 0,
    minSettleMs: 0,
    maxSettleMs: 0,
    maxFirstSettleMs: 0,
    minLifetimeMs: 0,
    trustAfterMs: 0,
    memoryMs: 0,
  },
};
