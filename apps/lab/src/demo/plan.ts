import { formatDuration } from "@grpc-lb/core";

/** What a run of the lab is to be. */
export interface Plan {
  /** How long the clients call, from the moment that each has made its first call. */
  readonly durationMs: number;
  /** The pause between the calls of a client. */
  readonly intervalMs: number;
  readonly servers: number;
  /** Of the random source by which the Service picks a pod for a connection. */
  readonly seed: number;
}

/** The names of the servers, which stand for pods. */
export function podNames(plan: Plan): readonly string[] {
  return Array.from({ length: plan.servers }, (_, i) => `server-${i + 1}`);
}

/** Cochran's rule of thumb: below 5 expected calls per pod the chi-square test says nothing. */
const judgedCallsPerServer = 5;

/** The first calls of a client are made while its connections are still opening, one for each server: not judged. */
export function warmUpCalls(plan: Plan): number {
  return plan.servers;
}

/** How many calls a client must have made for a verdict. */
export function neededCalls(plan: Plan): number {
  return warmUpCalls(plan) + judgedCallsPerServer * plan.servers;
}

/**
 * Refuses a plan that cannot end with a verdict.
 *
 * @throws RangeError that says how many calls there can be at most and how many are needed
 */
export function validatePlan(plan: Plan): Plan {
  const possible = plan.intervalMs === 0 ? Number.POSITIVE_INFINITY : Math.floor(plan.durationMs / plan.intervalMs);
  if (possible >= neededCalls(plan)) return plan;
  const given = `--duration (DURATION) ${formatDuration(plan.durationMs)} with --interval (INTERVAL) ${formatDuration(plan.intervalMs)}`;
  const needs = `${warmUpCalls(plan)} to warm up and ${judgedCallsPerServer} for each of ${plan.servers} servers`;
  throw new RangeError(
    `${given} is at most ${possible} calls a client; a verdict needs ${neededCalls(plan)}: ${needs}`,
  );
}
