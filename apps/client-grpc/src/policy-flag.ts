import { type Flag, ProgramError } from "@grpc-lb/runtime/process";
import { needsNoConfig, registeredPolicies, validatePolicy } from "./policy.ts";

/** A policy that was asked for, with its configuration. */
export interface ChosenPolicy {
  readonly name: string;
  readonly config: Readonly<Record<string, unknown>>;
}

/** The header that carries `--hash-key`. */
export const hashKeyHeader = "hash-key";

const usableNames = registeredPolicies().filter(needsNoConfig);

const hashPolicies = ["ring_hash", "maglev", "source_hash"];

/**
 * Reads `least_request`, or with a configuration `least_request{"choiceCount":3}`.
 *
 * @throws RangeError that lists the policies, or names the field that is wrong
 */
export function parsePolicy(text: string): ChosenPolicy {
  const [, name = "", json] = /^([^{]*?)\s*(\{.*)?$/s.exec(text) ?? [];
  if (json === undefined) {
    validatePolicy(name, {}, usableNames);
    return { name, config: {} };
  }
  let config: Record<string, unknown>;
  try {
    config = JSON.parse(json);
  } catch (error) {
    throw new RangeError(`must be a policy, or one and its configuration in JSON: ${(error as Error).message}`);
  }
  validatePolicy(name, config);
  return { name, config };
}

/**
 * Has a hash policy choose by the header that `--hash-key` goes in, unless it was told another one.
 *
 * @throws ProgramError when there is a key and no policy to use it
 */
export function withHashKey(policy: ChosenPolicy | undefined, hashKey: string): ChosenPolicy | undefined {
  if (hashKey === "") return policy;
  if (!policy || !hashPolicies.includes(policy.name)) {
    const message = `--hash-key goes with --policy ${hashPolicies.join(", ")}; got ${policy?.name ?? "none of them"}`;
    throw new ProgramError(message, { exitCode: 2 });
  }
  return { ...policy, config: { requestHashHeader: hashKeyHeader, ...policy.config } };
}

/** The flag `--policy` of this client. */
export const policyFlag: Flag<ChosenPolicy | undefined> = {
  metavar: "name",
  help: `load balancing policy, also as name{"field":value}: ${usableNames.join(", ")}`,
  default: undefined,
  defaultText: "pick_first, for targets of discovery round_robin",
  parse: parsePolicy,
};

/** The flag `--hash-key` of this client. */
export const hashKeyFlag: Flag<string> = {
  metavar: "text",
  help: "what hash policies choose by: calls of one key go to one pod",
  default: "",
  defaultText: "none",
  parse(text) {
    if (!/^[\x20-\x7e]*$/.test(text)) throw new RangeError(`must be printable ASCII, as a header is, got "${text}"`);
    return text;
  },
};
