import type { ChannelOptions } from "@grpc/grpc-js";
import {
  type Adapted,
  type ChannelControlHelper,
  ChildLoadBalancerHandler,
  type GrpcEndpoint,
  isRegistered,
  type LoadBalancer,
  type LoadBalancingConfig,
  type PolicyJson,
  parsePolicy,
  registerDefaultPolicy,
  type StatusOr,
} from "../grpc-js.ts";
import { describeIgnored, markReported, textToCheck, warnOnce } from "./mistakes.ts";
import { describeError, takeFailures } from "./parse-failure.ts";

const name = "grpc_lb_default";

/**
 * Replaces grpc-js's default policy. Where a service config names policies and none of them can be used, grpc-js uses pick_first
 * without a warning, and one server gets all calls; here it is round_robin, with one warning per channel. A channel whose
 * service config names no policy keeps pick_first.
 */
export function registerDefault(pickFirst: Adapted): void {
  registerDefaultPolicy(pickFirst, DefaultBalancer, () => new DefaultConfig(takeFailures()));
}

class DefaultConfig implements LoadBalancingConfig {
  /** Why the registered policies of the list cannot be used. */
  readonly failures: readonly string[];

  constructor(failures: readonly string[]) {
    this.failures = failures;
  }

  getLoadBalancerName(): string {
    return name;
  }

  toJsonObject(): object {
    return { [name]: {} };
  }
}

/** The policy that stands for a service config none of whose policies grpc-js can use. */
export interface DefaultChoice {
  readonly policy: PolicyJson;
  /** Why it is not one of the config; undefined when the config names none. */
  readonly warning: string | undefined;
}

/**
 * @param text the channel's service config in JSON; undefined when it has none
 * @param failures why the registered policies of the list that grpc-js has read cannot be used. Where they are not the channel's, the
 *   list is from the resolver, as with DNS, and the channel's own does not count
 */
export function chooseDefault(text: string | undefined, failures: readonly string[]): DefaultChoice {
  const config = (text ? JSON.parse(text) : {}) as Readonly<Record<string, unknown>>;
  const policies = listPolicies(config);
  const errors = policies.map(describeError);
  const isOfChannel = failures.every((failure) => errors.some((error) => error?.endsWith(failure)));
  if (!isOfChannel) return { policy: roundRobin, warning: describeFallback("the resolver's service config", failures) };
  const usable = policies[errors.indexOf(undefined)];
  if (usable) return { policy: usable, warning: undefined };
  if (policies.length > 0) {
    const known = errors.filter((error) => error !== undefined);
    return { policy: roundRobin, warning: describeFallback("grpc.service_config", known) };
  }
  // The wrong field is reported as one that is ignored.
  return { policy: Object.keys(config).some(isMisplacedPolicy) ? roundRobin : { pick_first: {} }, warning: undefined };
}

const roundRobin: PolicyJson = { round_robin: {} };

function listPolicies(config: Readonly<Record<string, unknown>>): readonly PolicyJson[] {
  const listed = config.loadBalancingConfig ?? config.load_balancing_config;
  const policies = Array.isArray(listed) ? (listed as PolicyJson[]) : [];
  const { loadBalancingPolicy } = config;
  if (policies.length > 0 || typeof loadBalancingPolicy !== "string" || loadBalancingPolicy === "") return policies;
  return [{ [loadBalancingPolicy.toLowerCase()]: {} } as PolicyJson]; // the older form; gRPC ignores its case
}

/** Whether a field shows that the user has chosen a policy: `loadbalancingConfig`, `load_balancing_policy`, `least_request`. */
const isMisplacedPolicy = (field: string): boolean =>
  (!["loadBalancingConfig", "loadBalancingPolicy", "load_balancing_config"].includes(field) &&
    /^load_?balancing/i.test(field)) ||
  isRegistered(field);

export const describeFallback = (where: string, errors: readonly string[]): string =>
  `${where}: ${errors.join("; ")}; round_robin is used instead`;

/** Delegates to the chosen policy. */
class DefaultBalancer implements LoadBalancer {
  readonly #helper: ChannelControlHelper;
  readonly #child: InstanceType<typeof ChildLoadBalancerHandler>;

  constructor(helper: ChannelControlHelper) {
    this.#helper = helper;
    this.#child = new ChildLoadBalancerHandler(helper);
  }

  updateAddressList(
    found: StatusOr<GrpcEndpoint[]>,
    config: LoadBalancingConfig,
    options: ChannelOptions,
    note: string,
  ): boolean {
    const failures = config instanceof DefaultConfig ? config.failures : [];
    const { policy, warning } = chooseDefault(options["grpc.service_config"], failures);
    const text = textToCheck(options);
    warnOnce(this.#helper, warning, text === undefined ? undefined : describeIgnored(text));
    return this.#child.updateAddressList(found, parsePolicy(policy), markReported(options), note);
  }

  exitIdle(): void {
    this.#child.exitIdle();
  }

  resetBackoff(): void {
    this.#child.resetBackoff();
  }

  destroy(): void {
    this.#child.destroy();
  }

  getTypeName(): string {
    return name;
  }
}
