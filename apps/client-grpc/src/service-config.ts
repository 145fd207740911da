import { messageOf } from "@grpc-lb/core";
import type { NamedPolicy } from "@grpc-lb/policies";
import { type Flag, ProgramError } from "@grpc-lb/program";
import { type ParsedServiceConfig, parseServiceConfig } from "@grpc-lb/resolver";

/** A service config in grpc-js's JSON. */
export type ServiceConfigJson = Readonly<Record<string, unknown>>;

/** The flag `--service-config` of this client. Policies must be registered before it is parsed. */
export const serviceConfigFlag: Flag<ParsedServiceConfig | undefined> = {
  metavar: "json",
  help: "gRPC service config",
  default: undefined,
  defaultText: "none",
  parse(text) {
    let parsed: ParsedServiceConfig;
    try {
      parsed = parseServiceConfig(text);
    } catch (error) {
      const [, predicate] = /^the service config (.*)/s.exec(messageOf(error)) ?? [];
      throw new RangeError(predicate ?? `is invalid: ${messageOf(error)}`);
    }
    if (parsed.policyError !== undefined) throw new RangeError(`is invalid: ${parsed.policyError}`);
    return parsed;
  },
};

/**
 * Merges `--policy` and `--service-config` into the service config of the channel.
 *
 * @returns undefined when the user gave neither
 * @throws ProgramError when both choose a policy
 */
export function mergeServiceConfig(
  policy: NamedPolicy | undefined,
  parsed: ParsedServiceConfig | undefined,
): ServiceConfigJson | undefined {
  if (!policy) return parsed && { ...parsed.config };
  if (parsed && parsed.config.loadBalancingConfig.length > 0) {
    throw new ProgramError("--policy and --service-config both choose a policy; give one", { exitCode: 2 });
  }
  return { ...parsed?.config, loadBalancingConfig: [{ [policy.name]: policy.config }] };
}

/** Returns the name and the configuration of the policy that a service config chooses; undefined when it chooses none. */
export function chosenPolicy(config: ServiceConfigJson | undefined): NamedPolicy | undefined {
  const [policy = {}] = (config?.loadBalancingConfig ?? []) as readonly Readonly<
    Record<string, NamedPolicy["config"]>
  >[];
  const [entry] = Object.entries(policy);
  return entry && { name: entry[0], config: entry[1] };
}
