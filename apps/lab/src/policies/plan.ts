/** What a comparison of policies is to be. */
export interface PoliciesPlan {
  /** The policies, in the order in which they are tried. */
  readonly policies: readonly string[];
  /** Calls a second, on the mean. */
  readonly rateHz: number;
  /** How long calls are sent that count, and before them those that do not. */
  readonly durationMs: number;
  readonly warmUpMs: number;
  /** After which a call is given up. */
  readonly deadlineMs: number;
  /** Of the order of the servers, the times and keys of the calls, and the policies' own draws. */
  readonly seed: number;
  /** Whether grpc-js's outlier_detection stands over each policy. */
  readonly hasOutlierDetection: boolean;
}

/** Below this, one call more or less is a whole percent. */
const leastCalls = 100;

/**
 * Refuses a plan that says nothing.
 *
 * @throws RangeError that says why
 */
export function validatePlan(plan: PoliciesPlan): PoliciesPlan {
  const calls = Math.floor((plan.rateHz * plan.durationMs) / 1000);
  if (calls < leastCalls) {
    throw new RangeError(
      `--rate ${plan.rateHz} for --duration ${plan.durationMs}ms is ${calls} calls a policy; a share needs ${leastCalls}`,
    );
  }
  if (plan.hasOutlierDetection && plan.policies.includes("pick_first")) {
    throw new RangeError(
      "--outlier-detection cannot stand over pick_first, which has one connection: leave one of them out",
    );
  }
  return plan;
}

/**
 * Reads names with commas between them; one that is given twice counts once.
 *
 * @throws RangeError that lists the names there are
 */
export function parsePolicies(text: string, known: readonly string[]): readonly string[] {
  const names = [...new Set(text.split(",").map((name) => name.trim()))];
  const wrong = names.find((name) => !known.includes(name));
  if (wrong !== undefined) throw new RangeError(`must be of ${known.join(", ")}, got "${wrong}"`);
  return names;
}
