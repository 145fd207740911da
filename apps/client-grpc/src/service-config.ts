import { isRegistered, type NamedPolicy, validatePolicy } from "@grpc-lb/policies";
import { ProgramError } from "@grpc-lb/program";

type JsonObject = Record<string, unknown>;

const isObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/**
 * Reads a service config (https://github.com/grpc/grpc/blob/master/doc/service_config.md) and checks its policies.
 * A method's timeout is written out to nine decimals, because grpc-js 1.14 reads its fraction as a whole number of
 * nanoseconds: it takes "0.25s" for 25 ns.
 *
 * @throws RangeError that says what is wrong
 */
export function parseServiceConfig(text: string): JsonObject {
  let config: unknown;
  try {
    config = JSON.parse(text, (key, value) => (key === "timeout" ? writeOutDuration(value) : value));
  } catch (error) {
    throw new RangeError(`must be JSON: ${(error as Error).message}`);
  }
  if (!isObject(config)) throw new RangeError("must be a JSON object");
  // grpc-js skips both without a word.
  if (config.loadBalancingPolicy !== undefined) {
    throw new RangeError("must name its policy in loadBalancingConfig: grpc-js has no loadBalancingPolicy");
  }
  if (config.methodConfig !== undefined && !Array.isArray(config.methodConfig)) {
    throw new RangeError("must have a list as methodConfig");
  }
  const policies = config.loadBalancingConfig;
  if (policies !== undefined) validatePolicies(policies);
  return config;
}

/** The first policy of the list that is registered is the one in use (gRFC A24), so that is the one to check. */
function validatePolicies(policies: unknown): void {
  if (!Array.isArray(policies) || !policies.every((entry) => isObject(entry) && Object.keys(entry).length === 1)) {
    throw new RangeError('must have a list of {"policy": {…}} as loadBalancingConfig');
  }
  const entries: [string, unknown][] = policies.flatMap(Object.entries);
  const chosen = entries.find(([name]) => isRegistered(name)) ?? entries[0];
  if (!chosen) return;
  const [name, config] = chosen;
  if (!isObject(config)) throw new RangeError(`must have an object as the configuration of ${name}`);
  try {
    validatePolicy(name, config);
  } catch (error) {
    throw new RangeError(`loadBalancingConfig ${(error as Error).message}`);
  }
}

/**
 * The service config that the flags make together; undefined when the user chose nothing.
 *
 * @throws ProgramError when both name a policy
 */
export function mergeServiceConfig(
  policy: NamedPolicy | undefined,
  config: Readonly<JsonObject>,
): Readonly<JsonObject> | undefined {
  if (!policy) return Object.keys(config).length === 0 ? undefined : config;
  if (config.loadBalancingConfig !== undefined) {
    const message = "--policy and the loadBalancingConfig of --service-config exclude each other; give one";
    throw new ProgramError(message, { exitCode: 2 });
  }
  return { ...config, loadBalancingConfig: [{ [policy.name]: policy.config }] };
}

function writeOutDuration(value: unknown): unknown {
  const match = typeof value === "string" ? /^(\d+)\.(\d{1,8})s$/.exec(value) : null;
  return match ? `${match[1]}.${match[2]?.padEnd(9, "0")}s` : value;
}
