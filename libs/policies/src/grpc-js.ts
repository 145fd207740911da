/**
 * The only file that uses grpc-js's `experimental` API, which changes between versions without notice
 * (https://github.com/grpc/grpc-node/pull/2925). Registering policies checks for what this file uses, so that an unsupported version
 * is one clear error.
 */

import { type ChannelOptions, connectivityState, experimental, type Metadata, type MetadataValue } from "@grpc/grpc-js";
import { describeCopies, recordCopy } from "@grpc-lb/core";

export type ChannelControlHelper = experimental.ChannelControlHelper;
export type GrpcEndpoint = experimental.Endpoint;
export type LoadBalancer = experimental.LoadBalancer;
export type LoadBalancingConfig = experimental.TypedLoadBalancingConfig;
export type OnCallEnded = NonNullable<experimental.PickResult["onCallEnded"]>;
/** What grpc-js tells a policy about a call: its metadata. */
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
  "createResolver",
  "endpointToString",
  "isLoadBalancerNameRegistered",
  "parseLoadBalancingConfig",
  "registerLoadBalancerType",
  "registerResolver",
  "statusOrFromError",
  "statusOrFromValue",
  "uriToString",
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

/** The package whose copies must be one. */
const grpcPackage = {
  name: "@grpc/grpc-js",
  main: "build/src/index.js",
  marker: /No resolver could be created for targe[t]/,
} as const;

/**
 * Records that policies are registered in this copy of grpc-js, and describes what is loaded more than once: the channels of another
 * copy do not find them, and use pick_first without a warning.
 *
 * @returns a warning, or undefined
 */
export function recordRegistration(): string | undefined {
  const used = recordCopy(grpcPackage.name, experimental, "@grpc-lb/policies");
  return describeCopies(
    grpcPackage,
    used,
    "channels of one do not know the policies that are registered in the other, and use pick_first",
  );
}

export function registerPolicyType(name: string, Balancer: BalancerClass, Config: ConfigClass): void {
  experimental.registerLoadBalancerType(name, Balancer, Config);
}

export type BalancerClass = new (helper: ChannelControlHelper) => LoadBalancer;
type ConfigClass = { new (): LoadBalancingConfig; createFromJson(json: unknown): LoadBalancingConfig };

/**
 * The classes of one of grpc-js's own policies, which it does not export: they are read from instances.
 *
 * @param sample a valid configuration
 * @throws Error when this version of grpc-js keeps the instance elsewhere
 */
function classesOf(sample: PolicyJson): { readonly Balancer: BalancerClass; readonly Config: ConfigClass } {
  const config = parsePolicy(sample);
  const nothing = () => {};
  const handler = new ChildLoadBalancerHandler({
    createSubchannel: () => {
      throw new Error("a policy without endpoints creates no subchannel");
    },
    updateState: nothing,
    requestReresolution: nothing,
    addChannelzChild: nothing,
    removeChannelzChild: nothing,
  });
  handler.updateAddressList(statusOrFromError({ code: 14, details: "" }), config, {}, "");
  const { currentChild } = handler as unknown as { readonly currentChild: LoadBalancer | null };
  handler.destroy();
  if (!currentChild)
    throw new Error("@grpc-lb/policies needs @grpc/grpc-js 1.14; ChildLoadBalancerHandler has no currentChild");
  return {
    Balancer: currentChild.constructor as BalancerClass,
    Config: config.constructor as unknown as ConfigClass,
  };
}

/** One of grpc-js's own policies, as it was registered again. */
export interface Adapted {
  readonly Balancer: BalancerClass;
  createFromJson(json: unknown): LoadBalancingConfig;
}

/** How one of grpc-js's own policies is changed. */
export interface Adaptation {
  /** Converts a configuration to what the policy's own parser takes. @throws RangeError that names the wrong field */
  read(json: unknown): object;
  extend(Balancer: BalancerClass): BalancerClass;
}

/** Registers one of grpc-js's own policies again. @param sample a valid configuration */
export function adaptPolicy(sample: PolicyJson, { read, extend }: Adaptation): Adapted {
  const [name = ""] = Object.keys(sample);
  const { Balancer, Config } = classesOf(sample);
  const adapted: Adapted = {
    Balancer: extend(Balancer),
    createFromJson: (json) => Config.createFromJson(read(json)),
  };
  registerPolicyType(name, adapted.Balancer, { createFromJson: adapted.createFromJson } as ConfigClass);
  return adapted;
}

/** Has grpc-js use another policy instead of pick_first where it can use no policy of a service config, or there is none. */
export function registerDefaultPolicy(
  pickFirst: Adapted,
  Balancer: BalancerClass,
  createConfig: () => LoadBalancingConfig,
): void {
  const name = createConfig().getLoadBalancerName();
  // grpc-js creates the default configuration with the constructor of the registered pick_first, and an explicit one from JSON.
  function DefaultConfig() {
    return createConfig();
  }
  DefaultConfig.createFromJson = pickFirst.createFromJson;
  registerPolicyType("pick_first", pickFirst.Balancer, DefaultConfig as unknown as ConfigClass);
  registerPolicyType(name, Balancer, DefaultConfig as unknown as ConfigClass);
}

/** A service config that a resolver publishes. */
export type ServiceConfig = Extract<NonNullable<Parameters<experimental.ResolverListener>[2]>, { ok: true }>["value"];

type ResolverClass = new (
  target: experimental.GrpcUri,
  listener: experimental.ResolverListener,
  options: ChannelOptions,
) => experimental.Resolver;

/**
 * Has the service configs that the resolver of a scheme publishes pass through `read`.
 *
 * @param read is called with each config, also with one that was published before, and the target
 */
export function registerConfigReader(
  scheme: string,
  read: (config: ServiceConfig, target: string) => ServiceConfig,
): void {
  // grpc-js does not export the class: it is read from an instance, which looks nothing up until it is used.
  const sample = experimental.createResolver({ scheme, path: "localhost" }, () => true, {});
  const Resolver = sample.constructor as ResolverClass;
  sample.destroy();
  const Reading = class extends Resolver {
    constructor(target: experimental.GrpcUri, listener: experimental.ResolverListener, options: ChannelOptions) {
      const uri = experimental.uriToString(target);
      const reading: typeof listener = (endpoints, attributes, config, note) =>
        listener(
          endpoints,
          attributes,
          config?.ok ? experimental.statusOrFromValue(read(config.value, uri)) : config,
          note,
        );
      super(target, reading, options);
    }
  };
  experimental.registerResolver(scheme, Reading as unknown as Parameters<typeof experimental.registerResolver>[1]);
}

/** Registers a second name of a policy. */
export function registerAlias(alias: string, name: string): void {
  const createFromJson = (json: unknown) => parsePolicy({ [name]: json } as PolicyJson); // it has its own name, not the alias
  registerPolicyType(alias, UnusedBalancer as unknown as BalancerClass, { createFromJson } as ConfigClass);
}

/** Stands for the balancer of an alias, whose configurations name another policy. */
class UnusedBalancer {
  constructor() {
    throw new Error("a policy is created by its own name, not by an alias");
  }
}

/**
 * What stands for the channel of a policy: it stays the same while the channel is idle, and when its policy changes.
 *
 * @param helper of the outermost policy
 */
export function channelOf(helper: ChannelControlHelper): object {
  return (helper as { readonly parent?: object }).parent ?? helper; // private: a helper belongs to one instance of a policy
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
