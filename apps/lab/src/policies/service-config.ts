import { keyHeader } from "./load/flags.ts";

type Json = Readonly<Record<string, unknown>>;

/** How many of the servers a client has under `subset`. */
export const subsetSize = 4;

/** The configurations that differ from `{}`. */
const configs: Readonly<Record<string, Json>> = {
  // The defaults, 10 s and 1 s, are longer than the whole trial.
  weighted_round_robin: { blackoutPeriod: "0s", weightUpdatePeriod: "0.1s" },
  ring_hash: { requestHashHeader: keyHeader },
  maglev: { requestHashHeader: keyHeader },
  source_hash: { requestHashHeader: keyHeader },
  locality: { childPolicy: [{ least_request: {} }] },
  subset: { subsetSize, clientKey: "lab", childPolicy: [{ least_request: {} }] },
};

/** Half of the servers may be ejected, as half of them are bad; the first check comes within the warm-up. */
const outlierDetection = {
  interval: { seconds: 0, nanos: 500_000_000 },
  base_ejection_time: { seconds: 30, nanos: 0 },
  max_ejection_percent: 50,
  failure_percentage_ejection: { threshold: 50, enforcement_percentage: 100, minimum_hosts: 3, request_volume: 5 },
};

/** The service config by which a channel uses a policy. */
export function serviceConfigOf(policy: string, hasOutlierDetection: boolean): Json {
  const own = { [policy]: configs[policy] ?? {} };
  if (!hasOutlierDetection) return { loadBalancingConfig: [own] };
  return { loadBalancingConfig: [{ outlier_detection: { ...outlierDetection, child_policy: [own] } }] };
}
