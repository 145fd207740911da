import { type NamedPolicy, needsNoConfig, parsePolicy, registeredPolicies, registerPolicies } from "@grpc-lb/policies";
import { type Flag, ProgramError } from "@grpc-lb/program";

/** The header that carries `--hash-key`. */
export const hashKeyHeader = "hash-key";

/** When this file is loaded, because the flags are parsed, and the help is written, with what is registered. */
export const policies = registerPolicies();

const usableNames = registeredPolicies().filter(needsNoConfig);

const hashPolicies = ["ring_hash", "maglev", "source_hash"];

/**
 * Configures a hash policy to choose by the header of `--hash-key`, unless its configuration names another one. Where the client does
 * not balance, a proxy may choose by the header.
 *
 * @throws ProgramError when there is a key and a policy that balances without one
 */
export function withHashKey(policy: NamedPolicy | undefined, hashKey: string): NamedPolicy | undefined {
  if (hashKey === "" || !policy || policy.name === "pick_first") return policy;
  if (!hashPolicies.includes(policy.name)) {
    const message = `--hash-key needs --policy ${hashPolicies.join(", ")}, or none; got ${policy.name}`;
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
  help: "key that hash policies and some proxies choose by: calls with the same key go to the same pod",
  default: "",
  defaultText: "none",
  parse(text) {
    if (!/^[\x20-\x7e]*$/.test(text)) throw new RangeError(`must be printable ASCII, as a header is, got "${text}"`);
    return text;
  },
};
