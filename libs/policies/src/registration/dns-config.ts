import { type PolicyJson, registerConfigReader, type ServiceConfig } from "../grpc-js.ts";
import { describeFallback } from "./default-policy.ts";
import { describeError } from "./parse-failure.ts";
import { warnOf } from "./warning.ts";

/**
 * Has a service config from DNS (a TXT record, gRFC A2) that names only policies which cannot be used become round_robin, with a
 * warning. grpc-js passes on to the default policy neither the config nor the names in it.
 */
export function registerDnsConfigs(): void {
  registerConfigReader("dns", checkConfig);
}

/** The same object gives the same one: the resolver publishes a config again with each list of addresses. */
const checked = new WeakMap<ServiceConfig, ServiceConfig>();

/** @param target for the warning */
export function checkConfig(config: ServiceConfig, target: string): ServiceConfig {
  const known = checked.get(config);
  if (known) return known;
  const errors = config.loadBalancingConfig.map((policy) => describeError(policy as PolicyJson));
  const isUnusable = errors.length > 0 && !errors.includes(undefined);
  const result = isUnusable ? { ...config, loadBalancingConfig: [{ round_robin: {} }] } : config;
  checked.set(config, result);
  if (isUnusable) {
    const found = errors.filter((error) => error !== undefined);
    warnOf(describeFallback(`${target}: the service config in DNS`, found));
  }
  return result;
}
