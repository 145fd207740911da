import { experimental } from "@grpc/grpc-js";
import { policyNames, registerPolicies } from "@grpc-lb/policies";

// As this file is loaded, because flags are checked against what is registered, and the help names it.
registerPolicies();

/** The policies that are named in messages: grpc-js's own, of which it has no list, and ours. */
const knownNames = [...new Set(["pick_first", "round_robin", ...policyNames, "outlier_detection"])];

/** Whether grpc-js has a policy of that name; asked for `toString`, its own look-up would say yes. */
export function isRegistered(name: string): boolean {
  return experimental.isLoadBalancerNameRegistered(name) && !(name in Object.prototype);
}

/** The load balancing policies that grpc-js is known to have in this process. */
export function registeredPolicies(): string[] {
  return knownNames.filter(isRegistered);
}

/** Whether the policy can be used without a configuration; outlier_detection needs to know what it watches over. */
export function needsNoConfig(name: string): boolean {
  try {
    validatePolicy(name, {}, []);
    return true;
  } catch {
    return false; // why is told to whoever asks for the policy
  }
}

/**
 * Checks a load balancing policy and its configuration the way grpc-js will, which itself says nothing and falls back to
 * pick_first when it knows no policy of a list.
 *
 * @param names those to offer instead of a wrong one
 * @throws RangeError that lists the names, or says what is wrong with the configuration
 */
export function validatePolicy(name: string, config: Record<string, unknown>, names = registeredPolicies()): void {
  if (!isRegistered(name)) throw new RangeError(`must be one of ${names.join(", ")}, got "${name}"`);
  try {
    experimental.parseLoadBalancingConfig({ [name]: config } as Parameters<
      typeof experimental.parseLoadBalancingConfig
    >[0]);
  } catch (error) {
    throw new RangeError(`is refused by grpc-js: ${(error as Error).message}`);
  }
}
