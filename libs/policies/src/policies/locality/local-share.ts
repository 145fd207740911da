/**
 * The share of the calls that stays local, from 0 to 1, when both groups can take calls: Envoy's split between two priorities.
 * A group can carry its healthy share times `overprovisioning`, at most all calls; the remote group gets what the local one cannot
 * carry. When both together cannot carry all calls, they are split in proportion.
 * https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/load_balancing/priority
 */
export function localShare(localHealthy: number, remoteHealthy: number, overprovisioning: number): number {
  const local = Math.min(1, localHealthy * overprovisioning);
  const remote = Math.min(1, remoteHealthy * overprovisioning);
  if (local + remote === 0) return 1;
  return local + remote >= 1 ? local : local / (local + remote);
}
