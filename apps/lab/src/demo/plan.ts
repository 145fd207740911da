import { formatDuration } from "@grpc-lb/core";

/** The parameters of a run of the demo. */
export interface Plan {
  /** How long the clients call, from the moment when each has made its first call. */
  readonly durationMs: number;
  /** The pause between two calls of a client. */
  readonly intervalMs: number;
  readonly servers: number;
  /** The seed of the random source by which the Service picks a pod for a connection. */
  readonly seed: number;
}

/** The names of the servers, which represent pods. */
export function podNames(plan: Plan): readonly string[] {
  return Array.from({ length: plan.servers }, (_, i) => `server-${i + 1}`);
}

/** Cochran's rule: the chi-square test needs an expected count of at least 5 in each cell. */
const judgedCallsPerServer = 5;

/** How many first calls of a client are not judged because its connections are still opening: one per server. */
export function warmUpCalls(plan: Plan): number {
  return plan.servers;
}

/** How many calls of a client a verdict needs. */
export function neededCalls(plan: Plan): number {
  return warmUpCalls(plan) + judgedCallsPerServer * plan.servers;
}

/** How much longer than planned the clients of a busy machine call, at most, until each has the calls that a verdict needs. */
export function extraMs(plan: Plan): number {
  return Math.max(10_000, plan.durationMs);
}

/**
 * Checks that a plan allows enough calls for a verdict.
 *
 * @throws RangeError that states how many calls are possible and how many are needed
 */
export function validatePlan(plan: Plan): Plan {
  const possible = plan.intervalMs === 0 ? Number.POSITIVE_INFINITY : Math.floor(plan.durationMs / plan.intervalMs);
  if (possible >= neededCalls(plan)) return plan;
  const given = `--duration (DURATION) ${formatDuration(plan.durationMs)} with --interval (INTERVAL) ${formatDuration(plan.intervalMs)}`;
  const needs = `${warmUpCalls(plan)} to warm up and ${judgedCallsPerServer} for each of ${plan.servers} servers`;
  throw new RangeError(
    `${given} allows at most ${possible} calls per client; a verdict needs ${neededCalls(plan)}: ${needs}`,
  );
}
