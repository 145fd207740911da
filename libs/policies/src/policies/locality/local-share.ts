/**
 * The share of the calls that stays local, from 0 to 1, when both groups can take calls: Envoy's split between two priorities.
 * A group is good for its healthy share times `overprovisioning`, at most for all calls; the remote one gets what the local
 * one is not good for. When both together are not good for all, each gets its part of what they are good for.
 * https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/load_balancing/priority
 */
export function localShare(localHealthy: number, remoteHealthy: number, overprovisioning: number): number {
  const local = Math.min(1, localHealthy * overprovisioning);
  const remote = Math.min(1, remoteHealthy * overprovisioning);
  if (local + remote === 0) return 1;
  return local + remote >= 1 ? local : local / (local + remote);
}
