import { describeType, messageOf } from "@grpc-lb/core";
import { isRegistered, type PolicyJson, parsePolicy as parseJson } from "../grpc-js.ts";
import { takeFailures } from "./parse-failure.ts";
import { ownPolicyNames, policyNames } from "./register.ts";

export { isRegistered };

/** A policy with its configuration. */
export interface NamedPolicy {
  readonly name: string;
  readonly config: Readonly<Record<string, unknown>>;
}

/** The policies that messages name: grpc-js's own, which it does not list, and this library's. */
const knownNames = [...new Set(["pick_first", "round_robin", ...policyNames, "outlier_detection"])];

/**
 * The load balancing policies known to be registered in this process: grpc-js's own, this library's after `registerPolicies`, and those
 * of `registerPolicy`.
 */
export function registeredPolicies(): string[] {
  return [...knownNames, ...ownPolicyNames()].filter(isRegistered);
}

/** Whether the policy can be used without a configuration; subset and outlier_detection have required fields. */
export function needsNoConfig(name: string): boolean {
  try {
    validatePolicy(name, {}, []);
    return true;
  } catch {
    return false; // the error is reported to a user who chooses the policy
  }
}

/**
 * Checks a load balancing policy and its configuration as grpc-js will, which reports no errors. The messages begin with a verb, so that
 * the caller can put the name of a flag or a field before them: `--policy must be one of …`.
 *
 * @param names the policies to suggest instead of an unknown one
 * @throws RangeError that lists these names, or says what is wrong with the configuration; TypeError for a name that is not a string
 */
export function validatePolicy(
  name: string,
  config: Readonly<Record<string, unknown>>,
  names = registeredPolicies(),
): void {
  if (typeof name !== "string") throw new TypeError(`must be the name of a policy, got ${describeType(name)}`);
  if (!isRegistered(name)) throw new RangeError(`must be one of ${names.join(", ")}, got "${name}"`);
  const mistake = findConfigMistake(name, config);
  if (mistake !== undefined) throw new RangeError(`is invalid: ${mistake}`);
}

/** What is wrong with the configuration of a registered policy: `least_request: choiceCount must be …`; undefined if nothing is. */
export function findConfigMistake(name: string, config: unknown): string | undefined {
  try {
    parseJson({ [name]: config } as PolicyJson);
    return undefined;
  } catch (error) {
    takeFailures(); // it is not of a channel
    return messageOf(error);
  }
}

/**
 * Parses a policy from a command line: `least_request`, or with a configuration `least_request{"choiceCount":3}`.
 *
 * @throws RangeError that lists the policies that need no configuration, or names the wrong field; TypeError for another type
 */
export function parsePolicy(text: string): NamedPolicy {
  if (typeof text !== "string") throw new TypeError(`must be a text such as least_request, got ${describeType(text)}`);
  const [, name = "", json] = /^([^{]*?)\s*(\{.*)?$/s.exec(text) ?? [];
  let config: Record<string, unknown> = {};
  try {
    if (json !== undefined) config = JSON.parse(json);
  } catch (error) {
    throw new RangeError(
      `must be a policy name, optionally followed by its configuration in JSON: ${messageOf(error)}`,
    );
  }
  validatePolicy(name, config, registeredPolicies().filter(needsNoConfig));
  return { name, config };
}
