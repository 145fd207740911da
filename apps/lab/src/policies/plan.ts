import { policyNames } from "@grpc-lb/policies";

/**
 * All policies, in the order of the table. pick_first is last: it uses one server, so its result depends only on whether that
 * is a good one.
 */
export const comparedPolicies: readonly string[] = [...policyNames, "pick_first"];

/** The parameters of a comparison of policies. */
export interface PoliciesPlan {
  /** In the order of the table. */
  readonly policies: readonly string[];
  /** Calls a second, on average. */
  readonly rateHz: number;
  /** How long the calls count, after the warm-up. */
  readonly durationMs: number;
  readonly warmUpMs: number;
  /** The deadline of a call. */
  readonly deadlineMs: number;
  /** The seed of the order of the servers, the times and keys of the calls, and the random picks of the policies. */
  readonly seed: number;
  /** Whether each policy is the child of grpc-js's outlier_detection. */
  readonly hasOutlierDetection: boolean;
}

/** With fewer calls, one call is more than a percent. */
const minCalls = 100;

/**
 * Checks that a plan gives meaningful shares and that grpc-js accepts its policies.
 *
 * @throws RangeError that states the reason
 */
export function validatePlan(plan: PoliciesPlan): PoliciesPlan {
  const calls = Math.floor((plan.rateHz * plan.durationMs) / 1000);
  if (calls < minCalls) {
    throw new RangeError(
      `--rate ${plan.rateHz} for --duration ${plan.durationMs}ms is ${calls} calls per policy; shares need at least ${minCalls}`,
    );
  }
  if (plan.hasOutlierDetection && plan.policies.includes("pick_first")) {
    throw new RangeError(
      "grpc-js does not allow pick_first below outlier_detection; remove --outlier-detection or pick_first",
    );
  }
  return plan;
}

/**
 * Parses names separated by commas and removes duplicates.
 *
 * @throws RangeError that lists the known names
 */
export function parsePolicies(text: string, known: readonly string[]): readonly string[] {
  const names = [...new Set(text.split(",").map((name) => name.trim()))];
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined) throw new RangeError(`must be names of ${known.join(", ")}, got "${unknown}"`);
  return names;
}
