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

export type { Clock, Random } from "@grpc-lb/core";
export type { Child } from "./balancer/child.ts";
export {
  type ConnectionMessage,
  type EjectionMessage,
  type PickMessage,
  type PolicyEndMessage,
  policyChannels,
  type UpdateMessage,
} from "./balancer/diagnostics.ts";
export type { EndpointInfo } from "./balancer/endpoint-info.ts";
export {
  type CallEnd,
  type CallTotal,
  type CommonConfig,
  type CountConfig,
  type PickChild,
  type PickerInput,
  type Policy,
  type PolicyContext,
  type PolicyInstance,
  parseCommonConfig,
  parseCountConfig,
} from "./balancer/policy.ts";
export type { EndpointStats, PolicyStats } from "./balancer/stats.ts";
export type { Bounds, Fields } from "./config/fields.ts";
export type { PickArgs } from "./grpc-js.ts";
export {
  currentWeights,
  parseWeightConfig,
  type SlowStart,
  type WeightConfig,
  weightRefreshMs,
} from "./policies/weights/weights.ts";
export type {
  FailureStatus,
  HedgingPolicy,
  MethodConfig,
  MethodName,
  RetryPolicy,
  RetryThrottling,
  Seconds,
} from "./registration/method-config.ts";
export {
  isRegistered,
  type NamedPolicy,
  needsNoConfig,
  parsePolicy,
  registeredPolicies,
  validatePolicy,
} from "./registration/named-policy.ts";
export type {
  CommonFields,
  CountFields,
  EjectionFields,
  KeyFields,
  PolicyChoice,
  PolicyConfigs,
  SlowStartFields,
  WeightFields,
} from "./registration/policy-configs.ts";
export {
  type Policies,
  type PoliciesOptions,
  policyNames,
  registerPolicies,
  registerPolicy,
} from "./registration/register.ts";
export { createServiceConfig, type ServiceConfigOptions } from "./registration/service-config.ts";
export type { Warn } from "./registration/warning.ts";
