import type { Clock } from "@grpc-lb/core";

/** Called with the reason why a client is refused, and its address. */
export type OnRefused = (reason: string, peer: string) => void;

/** How long a reason is not reported again, in milliseconds. */
const quietMs = 60_000;

/** When a callback last had a reason. */
const reported = new WeakMap<OnRefused, Map<string, number>>();

/**
 * Hands on each reason at most once a minute. All that report to the same callback share that limit, as the ports of a server do.
 */
export function limitReports(clock: Clock, onRefused: OnRefused): (reason: string, peer: string | undefined) => void {
  const reportedMs = reported.get(onRefused) ?? new Map<string, number>();
  reported.set(onRefused, reportedMs);
  return (reason, peer = "unknown") => {
    const nowMs = clock.now();
    if (nowMs - (reportedMs.get(reason) ?? Number.NEGATIVE_INFINITY) < quietMs) return;
    reportedMs.set(reason, nowMs);
    onRefused(reason, peer);
  };
}
