/**
 * The one file that touches grpc-js's `experimental` API, whose shape changes between versions without notice (grpc-node
 * PR#2925). What is used of it is checked when policies are registered, so that another version is one clear error.
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

/** A policy and its configuration, as a service config lists them: `{ "least_request": {} }`. */
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
 * @param api what grpc-js exports as `experimental`; given in tests
 * @throws Error when this version of grpc-js has another API than the one that this library was written for
 */
export function requireSupportedGrpc(api: Readonly<Record<string, unknown>> | undefined = experimental): void {
  const missing = needed.filter((name) => typeof api?.[name] !== "function");
  if (missing.length === 0) return;
  throw new Error(
    `@grpc-lb/policies needs @grpc/grpc-js 1.14; the one there is has no experimental.${missing.join(", ")}`,
  );
}

/**
 * Policies are registered in one copy of grpc-js, and the channels of another would never find them, but take pick_first
 * without a word.
 *
 * @param copies where they are; given in tests
 * @throws Error that names the copies, when there are several
 */
export function requireOneGrpc(copies: readonly string[] = loadedCopies("@grpc/grpc-js", "build/src/index.js")): void {
  if (copies.length < 2) return;
  throw new Error(
    `@grpc-lb/policies: there are ${copies.length} copies of @grpc/grpc-js in this process, ${copies.join(" and ")}; ` +
      "a policy registered in one is unknown to the channels of the other; npm dedupe leaves one",
  );
}

export function registerPolicyType(
  name: string,
  Balancer: new (helper: ChannelControlHelper) => LoadBalancer,
  Config: { new (): LoadBalancingConfig; createFromJson(json: unknown): LoadBalancingConfig },
): void {
  experimental.registerLoadBalancerType(name, Balancer, Config);
}

/** Whether there is a policy of that name; asked for `toString`, grpc-js's own look-up says yes. */
export function isRegistered(name: string): boolean {
  return experimental.isLoadBalancerNameRegistered(name) && !(name in Object.prototype);
}

/**
 * The values of a header, for the way of each call: `Metadata.get` makes the name's small letters anew each time, a sixth of
 * what a policy takes that chooses by a header.
 *
 * @param name in small letters
 */
export function headerOf(metadata: Metadata, name: string): readonly MetadataValue[] | undefined {
  const { internalRepr } = metadata as unknown as { readonly internalRepr?: ReadonlyMap<string, MetadataValue[]> };
  return internalRepr ? internalRepr.get(name) : metadata.get(name); // it is private, and another version may have none
}

/** @throws Error that names the policy and the field that is wrong */
export function parsePolicy(json: PolicyJson): LoadBalancingConfig {
  return experimental.parseLoadBalancingConfig(json);
}
