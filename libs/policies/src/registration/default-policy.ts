import type { ChannelOptions } from "@grpc/grpc-js";
import { messageOf } from "@grpc-lb/core";
import { targetOption } from "@grpc-lb/discovery";
import { noEndpointMessage, publishFailure } from "../balancer/balancer.ts";
import {
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
import { latestFailure } from "./parse-failure.ts";
import { warnOf } from "./warning.ts";

const name = "grpc_lb_default";

/**
 * Replaces grpc-js's default policy. Where a service config names policies and none of them can be used, grpc-js uses pick_first
 * without a warning, and one server gets all calls; here it is round_robin, with one warning per channel. A channel whose
 * service config names no policy keeps pick_first.
 */
export function registerDefault(): void {
  registerDefaultPolicy(DefaultBalancer, () => new DefaultConfig(latestFailure()));
}

class DefaultConfig implements LoadBalancingConfig {
  /** Why the last policy of a list cannot be used, where that is known. */
  readonly failure: string | undefined;

  constructor(failure: string | undefined) {
    this.failure = failure;
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
 * @param failure the error of another config, such as one from DNS
 */
export function chooseDefault(text: string | undefined, failure: string | undefined): DefaultChoice {
  const config = (text ? JSON.parse(text) : {}) as Readonly<Record<string, unknown>>;
  const listed = config.loadBalancingConfig ?? config.load_balancing_config;
  const policies = Array.isArray(listed) ? (listed as PolicyJson[]) : [];
  const { loadBalancingPolicy } = config;
  if (policies.length === 0 && typeof loadBalancingPolicy === "string") {
    policies.push({ [loadBalancingPolicy.toLowerCase()]: {} } as PolicyJson); // the older form; gRPC ignores its case
  }
  const errors: string[] = [];
  for (const policy of policies) {
    const error = describeError(policy);
    if (error === undefined) return { policy, warning: undefined };
    errors.push(error);
  }
  if (errors.length === 0 && failure !== undefined) errors.push(failure);
  if (errors.length === 0) return { policy: { pick_first: {} }, warning: undefined };
  return {
    policy: { round_robin: {} },
    warning: `grpc.service_config: ${errors.join("; ")}; round_robin is used instead`,
  };
}

/** Why a policy cannot be used; undefined when it can. */
function describeError(policy: PolicyJson): string | undefined {
  const [policyName = ""] = Object.keys(policy);
  if (!isRegistered(policyName)) return `no policy named ${policyName} is registered`;
  try {
    parsePolicy(policy);
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

/**
 * Policies of a channel's list that come before the one in use and cannot be used because their configuration is invalid. gRPC
 * would reject the whole config; grpc-js skips them.
 */
export function describeSkipped(text: string | undefined, used: string): string | undefined {
  if (!text) return undefined;
  const { loadBalancingConfig } = JSON.parse(text) as { readonly loadBalancingConfig?: readonly PolicyJson[] };
  const errors: string[] = [];
  for (const policy of loadBalancingConfig ?? []) {
    const error = describeError(policy);
    if (error === undefined) break;
    if (isRegistered(Object.keys(policy)[0] ?? "")) errors.push(error);
  }
  return errors.length === 0 ? undefined : `grpc.service_config: ${errors.join("; ")}; ${used} is used instead`;
}

/** The fields of a service config that count: grpc-js's, and the other spelling of the first. */
const knownFields = [
  "loadBalancingConfig",
  "load_balancing_config",
  "loadBalancingPolicy",
  "methodConfig",
  "retryThrottling",
];

/** Fields of a service config that grpc-js accepts and ignores. */
export function describeIgnored(text: string | undefined): string | undefined {
  if (!text) return undefined;
  const { healthCheckConfig, methodConfig, ...rest } = JSON.parse(text) as Readonly<Record<string, unknown>>;
  const ignored: string[] = [];
  if (healthCheckConfig !== undefined) {
    ignored.push("healthCheckConfig is ignored: grpc-js has no client-side health checking");
  }
  const methods = Array.isArray(methodConfig) ? (methodConfig as readonly object[]) : [];
  if (methods.some((method) => "waitForReady" in method)) {
    ignored.push("methodConfig.waitForReady is ignored: grpc-js takes it from the Metadata options of a call");
  }
  for (const field of Object.keys(rest)) {
    if (knownFields.includes(field)) continue;
    const advice = isRegistered(field)
      ? `a policy stands in loadBalancingConfig: {"loadBalancingConfig":[{"${field}":{}}]}`
      : `unknown field; known fields: ${knownFields.filter((name) => !name.includes("_")).join(", ")}`;
    ignored.push(`${field} is ignored: ${advice}`);
  }
  return ignored.length === 0 ? undefined : `grpc.service_config: ${ignored.join("; ")}`;
}

/** Delegates to the chosen policy. */
class DefaultBalancer implements LoadBalancer {
  readonly #helper: ChannelControlHelper;
  readonly #child: InstanceType<typeof ChildLoadBalancerHandler>;
  #hasWarned = false;

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
    const failure = config instanceof DefaultConfig ? config.failure : undefined;
    const text = options["grpc.service_config"];
    const { policy, warning } = chooseDefault(text, failure);
    if (!this.#hasWarned) warnOf(warning, targetOption in options ? undefined : describeIgnored(text));
    this.#hasWarned = true;
    const isEmpty = found.ok && found.value.length === 0 && "round_robin" in policy;
    if (!isEmpty) return this.#child.updateAddressList(found, parsePolicy(policy), options, note);
    publishFailure(this.#helper, noEndpointMessage("round_robin", note)); // round_robin would make calls wait forever
    this.#child.destroy();
    return true;
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
