import { checkOptions, describeType, type OptionRules } from "@grpc-lb/core";
import { isRegistered } from "../grpc-js.ts";
import { checkRetryThrottling, type MethodConfig, type RetryThrottling, readMethodConfigs } from "./method-config.ts";
import { findConfigMistake, registeredPolicies } from "./named-policy.ts";
import type { PolicyChoice } from "./policy-configs.ts";

/** What a service config contains beside the policy, in gRPC's own words. */
export interface ServiceConfigOptions {
  /** Timeouts and retries by service and method. Default: none. */
  readonly methodConfig?: readonly MethodConfig[] | undefined;
  /** Default: none. */
  readonly retryThrottling?: RetryThrottling | undefined;
}

const where = "createServiceConfig";

const rules: OptionRules = {
  methodConfig: "list",
  retryThrottling: {
    options: { maxTokens: "number", tokenRatio: "number" },
    required: ["maxTokens", "tokenRatio"],
  },
  loadBalancingConfig: () => "must not be set: the policy is the first argument",
  healthCheckConfig: () => "must not be set, because grpc-js has no client-side health checking",
};

/**
 * Creates a service config for the channel option `grpc.service_config`, and checks it at once, where grpc-js would report nothing.
 *
 * ```ts
 * const config = createServiceConfig({ least_request: {} }, { methodConfig: [{ name: [{}], timeout: "2s" }] });
 * ```
 *
 * @param policy a policy; or a list of them, of which a channel uses the first that is registered (gRFC A24); `[]` for the
 *   channel's default
 * @throws RangeError that lists the known policies, or names the wrong field; TypeError for a field of another type or name
 */
export function createServiceConfig(
  policy: PolicyChoice | readonly PolicyChoice[],
  options: ServiceConfigOptions = {},
): string {
  const policies = Array.isArray(policy) ? (policy as readonly PolicyChoice[]) : [policy as PolicyChoice];
  checkPolicies(policies);
  checkOptions(where, options, rules);
  const { methodConfig, retryThrottling } = options;
  if (retryThrottling) checkRetryThrottling(where, retryThrottling);
  return JSON.stringify({
    ...(methodConfig && { methodConfig: readMethodConfigs(where, methodConfig) }),
    ...(retryThrottling && { retryThrottling }),
    ...(policies.length > 0 && { loadBalancingConfig: policies }),
  });
}

function checkPolicies(policies: readonly PolicyChoice[]): void {
  const chosen = policies.map((policy) => {
    if (typeof policy !== "object" || policy === null) {
      throw new TypeError(
        `${where}: a policy must be an object such as { least_request: {} }, got ${describeType(policy)}`,
      );
    }
    const [[name, config] = ["", {}], ...others] = Object.entries(policy);
    if (others.length > 0) {
      throw new RangeError(`${where}: a policy must have one name, got ${Object.keys(policy).join(", ")}`);
    }
    return { name, config };
  });
  const known = chosen.filter(({ name }) => isRegistered(name));
  const [first] = chosen;
  if (known.length === 0 && first) {
    const names = registeredPolicies().join(", ");
    throw new RangeError(`${where}: the policy must be one of ${names}, got "${first.name}"`);
  }
  for (const { name, config } of known) {
    const mistake = findConfigMistake(name, config);
    if (mistake !== undefined) throw new RangeError(`${where}: ${mistake}`);
  }
}
