/**
 * The only file that uses grpc-js's `experimental` API, which changes between versions without notice
 * (https://github.com/grpc/grpc-node/pull/2925). Registering policies checks for what this file uses, so that an unsupported version
 * is one clear error.
 */

import { connectivityState, experimental, type Metadata, type MetadataValue } from "@grpc/grpc-js";
import { loadedCopies } from "@grpc-lb/core";

export type ChannelControlHelper = experimental.ChannelControlHelper;
export type GrpcEndpoint = experimental.Endpoint;
export type LoadBalancer = experimental.LoadBalancer;
export type LoadBalancingConfig = experimental.TypedLoadBalancingConfig;
export type OnCallEnded = NonNullable<experimental.PickResult["onCallEnded"]>;
export type PickArgs = experimental.PickArgs;
export type Picker = experimental.Picker;
export type PickResult = experimental.PickResult;
export type StatusOr<T> = experimental.StatusOr<T>;
export type Subchannel = experimental.SubchannelInterface;

/** An entry of `loadBalancingConfig` in a service config: `{ "least_request": {} }`. */
export type PolicyJson = Parameters<typeof experimental.parseLoadBalancingConfig>[0];

export const { ChildLoadBalancerHandler, LeafLoadBalancer, QueuePicker, UnavailablePicker } = experimental;
export const { createChildChannelControlHelper, endpointToString, statusOrFromError, statusOrFromValue } = experimental;
export const { PickResultType } = experimental;
export { connectivityState };

const needed = [
  "ChildLoadBalancerHandler",
  "LeafLoadBalancer",
  "QueuePicker",
  "UnavailablePicker",
  "createChildChannelControlHelper",
  "endpointToString",
  "isLoadBalancerNameRegistered",
  "parseLoadBalancingConfig",
  "registerLoadBalancerType",
  "statusOrFromError",
  "statusOrFromValue",
] as const satisfies (keyof typeof experimental)[];

/**
 * @param api grpc-js's export `experimental`; a parameter for tests
 * @throws Error when this version of grpc-js lacks a function that this library uses
 */
export function requireSupportedGrpc(api: Readonly<Record<string, unknown>> | undefined = experimental): void {
  const missing = needed.filter((name) => typeof api?.[name] !== "function");
  if (missing.length === 0) return;
  throw new Error(
    `@grpc-lb/policies needs @grpc/grpc-js 1.14; the installed version has no experimental.${missing.join(", ")}`,
  );
}

/**
 * Policies are registered in one copy of grpc-js. The channels of another copy would not find them, and use pick_first without a
 * warning.
 *
 * @param copies the directories of all copies; a parameter for tests
 * @throws Error that names the copies when there are several
 */
export function requireOneGrpc(copies: readonly string[] = loadedCopies("@grpc/grpc-js", "build/src/index.js")): void {
  if (copies.length < 2) return;
  throw new Error(
    `@grpc-lb/policies: this process has ${copies.length} copies of @grpc/grpc-js, ${copies.join(" and ")}; ` +
      "a policy registered in one is unknown to the channels of the other; npm dedupe removes the duplicate",
  );
}

export function registerPolicyType(
  name: string,
  Balancer: new (helper: ChannelControlHelper) => LoadBalancer,
  Config: { new (): LoadBalancingConfig; createFromJson(json: unknown): LoadBalancingConfig },
): void {
  experimental.registerLoadBalancerType(name, Balancer, Config);
}

/** Whether a policy of that name is registered. grpc-js's own function returns true for `toString`. */
export function isRegistered(name: string): boolean {
  return experimental.isLoadBalancerNameRegistered(name) && !(name in Object.prototype);
}

/**
 * The values of a header, for the hot path: `Metadata.get` converts the name to lower case each time, which takes a sixth of a pick
 * by header.
 *
 * @param name in lower case
 */
export function headerOf(metadata: Metadata, name: string): readonly MetadataValue[] | undefined {
  const { internalRepr } = metadata as unknown as { readonly internalRepr?: ReadonlyMap<string, MetadataValue[]> };
  return internalRepr ? internalRepr.get(name) : metadata.get(name); // the field is private, and another version may not have it
}

/** @throws Error that names the policy and the wrong field */
export function parsePolicy(json: PolicyJson): LoadBalancingConfig {
  return experimental.parseLoadBalancingConfig(json);
}
