import { type NamedPolicy, needsNoConfig, parsePolicy, registeredPolicies, registerPolicies } from "@grpc-lb/policies";
import { type Flag, ProgramError } from "@grpc-lb/program";

/** The header that carries `--hash-key`. */
export const hashKeyHeader = "hash-key";

// As this file is loaded, because flags are checked against what is registered, and the help names it.
registerPolicies();

const usableNames = registeredPolicies().filter(needsNoConfig);

const hashPolicies = ["ring_hash", "maglev", "source_hash"];

/**
 * Has a hash policy choose by the header that `--hash-key` goes in, unless it was told another one.
 *
 * @throws ProgramError when there is a key and no policy to use it
 */
export function withHashKey(policy: NamedPolicy | undefined, hashKey: string): NamedPolicy | undefined {
  if (hashKey === "") return policy;
  if (!policy || !hashPolicies.includes(policy.name)) {
    const message = `--hash-key goes with --policy ${hashPolicies.join(", ")}; got ${policy?.name ?? "none of them"}`;
    throw new ProgramError(message, { exitCode: 2 });
  }
  return { ...policy, config: { requestHashHeader: hashKeyHeader, ...policy.config } };
}

/** The flag `--policy` of this client. */
export const policyFlag: Flag<NamedPolicy | undefined> = {
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
