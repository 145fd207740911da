import type { Clock } from "@grpc-lb/core";

/** Called with the reason why a client is refused, and its address. */
export type OnRefused = (reason: string, peer: string) => void;

/** How long a reason is not reported again, in milliseconds. */
const quietMs = 60_000;

/** So many are reported in that time, whatever clients do. */
const maxReports = 1_000;

/** When a callback last had a report, by what it is limited by; the oldest first. */
const reported = new WeakMap<OnRefused, Map<string, number>>();

/**
 * Hands on each reason at most once a minute. All that report to the same callback share that limit, as the ports of a server do.
 *
 * @param keyOf what is handed on once a minute. Default: the reason, whoever the client is
 */
export function limitReports(
  clock: Clock,
  onRefused: OnRefused,
  keyOf: (reason: string, peer: string) => string = (reason) => reason,
): (reason: string, peer: string | undefined) => void {
  const reportedMs = reported.get(onRefused) ?? new Map<string, number>();
  reported.set(onRefused, reportedMs);
  return (reason, peer = "unknown") => {
    const nowMs = clock.now();
    for (const [key, ms] of reportedMs) {
      if (nowMs - ms < quietMs) break;
      reportedMs.delete(key);
    }
    const key = keyOf(reason, peer);
    if (reportedMs.has(key) || reportedMs.size >= maxReports) return;
    reportedMs.set(key, nowMs);
    onRefused(reason, peer);
  };
}
