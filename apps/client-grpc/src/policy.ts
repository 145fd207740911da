import { experimental } from "@grpc/grpc-js";

/** The policies that can be registered with grpc-js here; it has no list of its own to ask. */
const knownNames = ["pick_first", "round_robin", "weighted_round_robin", "outlier_detection"];

/** The load balancing policies that grpc-js has in this process. */
export function registeredPolicies(): string[] {
  return knownNames.filter((name) => experimental.isLoadBalancerNameRegistered(name));
}

/** Whether the policy can be used without a configuration; outlier_detection needs to know what it watches over. */
export function needsNoConfig(name: string): boolean {
  try {
    validatePolicy(name, {});
    return true;
  } catch {
    return false; // why is told to whoever asks for the policy
  }
}

/**
 * Checks a load balancing policy and its configuration the way grpc-js will, which itself says nothing and falls back to
 * pick_first when it knows no policy of a list.
 *
 * @throws RangeError that lists the names there are, or says what is wrong with the configuration
 */
export function validatePolicy(name: string, config: Record<string, unknown>): void {
  const names = registeredPolicies();
  if (!names.includes(name)) throw new RangeError(`must be one of ${names.join(", ")}, got "${name}"`);
  try {
    experimental.parseLoadBalancingConfig({ [name]: config } as Parameters<
      typeof experimental.parseLoadBalancingConfig
    >[0]);
  } catch (error) {
    throw new RangeError(`is refused by grpc-js: ${(error as Error).message}`);
  }
}
