/**
 * The load balancing policies that grpc-js lacks. A policy picks the endpoint of each call.
 *
 * ```ts
 * import { credentials } from "@grpc/grpc-js";
 * import { createServiceConfig, registerPolicies } from "@grpc-lb/policies";
 *
 * registerPolicies();
 * const client = new PodServiceClient("dns:///server-headless:30051", credentials.createInsecure(), {
 *   "grpc.service_config": createServiceConfig({ least_request: { choiceCount: 2 } }),
 * });
 * ```
 */

export {
  type ConnectionMessage,
  type EjectionMessage,
  type PickMessage,
  policyChannels,
  type UpdateMessage,
} from "./balancer/diagnostics.ts";
export type { EndpointInfo } from "./balancer/endpoint-info.ts";
export type {
  CallEnd,
  CommonConfig,
  PickChild,
  PickerInput,
  Policy,
  PolicyContext,
  PolicyInstance,
} from "./balancer/policy.ts";
export type { EndpointStats, PolicyStats } from "./balancer/stats.ts";
export {
  createServiceConfig,
  isRegistered,
  type NamedPolicy,
  needsNoConfig,
  parsePolicy,
  registeredPolicies,
  validatePolicy,
} from "./registration/named-policy.ts";
export {
  type Policies,
  type PoliciesOptions,
  policyNames,
  registerPolicies,
  registerPolicy,
} from "./registration/register.ts";
export type { Warn } from "./registration/warning.ts";
