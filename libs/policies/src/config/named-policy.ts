import { isRegistered, type PolicyJson, parsePolicy as parseJson } from "../grpc-js.ts";
import { policyNames } from "./register.ts";

export { isRegistered };

/** A policy that was asked for, with its configuration. */
export interface NamedPolicy {
  readonly name: string;
  readonly config: Readonly<Record<string, unknown>>;
}

/** The policies that are named in messages: grpc-js's own, of which it has no list, and ours. */
const knownNames = [...new Set(["pick_first", "round_robin", ...policyNames, "outlier_detection"])];

/** The load balancing policies that grpc-js is known to have in this process; ours once they are registered. */
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
export function validatePolicy(
  name: string,
  config: Readonly<Record<string, unknown>>,
  names = registeredPolicies(),
): void {
  if (!isRegistered(name)) throw new RangeError(`must be one of ${names.join(", ")}, got "${name}"`);
  try {
    parseJson({ [name]: config } as PolicyJson);
  } catch (error) {
    throw new RangeError(`is refused by grpc-js: ${(error as Error).message}`);
  }
}

/**
 * Reads a policy as a person writes it: `least_request`, or with a configuration `least_request{"choiceCount":3}`.
 *
 * @throws RangeError that lists the policies which need no configuration, or names the field that is wrong
 */
export function parsePolicy(text: string): NamedPolicy {
  const [, name = "", json] = /^([^{]*?)\s*(\{.*)?$/s.exec(text) ?? [];
  let config: Record<string, unknown> = {};
  try {
    if (json !== undefined) config = JSON.parse(json);
  } catch (error) {
    throw new RangeError(`must be a policy, or one and its configuration in JSON: ${(error as Error).message}`);
  }
  validatePolicy(name, config, registeredPolicies().filter(needsNoConfig));
  return { name, config };
}
