import { keyHeader } from "./load/protocol.ts";

type Json = Readonly<Record<string, unknown>>;

/** The number of servers that `subset` uses. */
export const subsetSize = 4;

/** The configurations of the policies that need one. Default: `{}`. */
const configs: Readonly<Record<string, Json>> = {
  // The defaults, 10 s and 1 s, are too long for a measurement of a few seconds.
  weighted_round_robin: { blackoutPeriod: "0s", weightUpdatePeriod: "0.1s" },
  ring_hash: { requestHashHeader: keyHeader },
  maglev: { requestHashHeader: keyHeader },
  source_hash: { requestHashHeader: keyHeader },
  locality: { childPolicy: [{ least_request: {} }] },
  subset: { subsetSize, clientKey: "lab", childPolicy: [{ least_request: {} }] },
};

/** Half of the servers are bad, so half may be ejected. The interval is shorter than the warm-up. */
const outlierDetection = {
  interval: { seconds: 0, nanos: 500_000_000 },
  base_ejection_time: { seconds: 30, nanos: 0 },
  max_ejection_percent: 50,
  failure_percentage_ejection: { threshold: 50, enforcement_percentage: 100, minimum_hosts: 3, request_volume: 5 },
};

/** The service config that selects a policy, below outlier_detection if wanted. */
export function serviceConfigOf(policy: string, hasOutlierDetection: boolean): Json {
  const own = { [policy]: configs[policy] ?? {} };
  if (!hasOutlierDetection) return { loadBalancingConfig: [own] };
  return { loadBalancingConfig: [{ outlier_detection: { ...outlierDetection, child_policy: [own] } }] };
}
