/**
 * The one file that uses grpc-js's `experimental` API, whose shape changes between versions without notice
 * (https://github.com/grpc/grpc-node/pull/2925). What is used of it is checked at the registration, so that another version is
 * one clear error and not a call that hangs.
 */
import { type ChannelOptions, experimental, status } from "@grpc/grpc-js";
import { describeCopies, messageOf, recordCopy } from "@grpc-lb/core";
import { attachEndpoint, type Endpoint as DiscoveredEndpoint, type EndpointCarrier } from "@grpc-lb/discovery";

export type ResolverListener = experimental.ResolverListener;
export type Resolver = experimental.Resolver;
export interface ResolverConstructor {
  new (target: GrpcUri, listener: ResolverListener, options: ChannelOptions): Resolver;
  /** The name for `:authority` and for TLS. */
  getDefaultAuthority(target: GrpcUri): string;
}
export type GrpcUri = experimental.GrpcUri;
/** Options of connections that precede the channel's own. grpc-js opens new connections where a value changes. */
export type Attributes = Readonly<Record<string, string | number>>;
type ServiceConfigResult = Exclude<Parameters<ResolverListener>[2], null>;
export type ServiceConfig = Extract<ServiceConfigResult, { ok: true }>["value"];
/** Chooses the config of each call, or fails it (gRFC A31). */
export type ConfigSelector = experimental.ConfigSelector;
/** Changes what a call sends and receives, or fails it with a status. */
export type Filter = experimental.Filter;
/** A policy and its configuration, as a service config lists them: `{ least_request: {} }`. */
export type PolicyConfig = ServiceConfig["loadBalancingConfig"][number];

/** An endpoint as grpc-js hands it on to the balancing policy, which reads discovery's endpoint with `endpointOf`. */
export type ResolvedEndpoint = experimental.Endpoint & EndpointCarrier;

const needed = [
  "createResolver",
  "isLoadBalancerNameRegistered",
  "parseLoadBalancingConfig",
  "registerResolver",
  "statusOrFromError",
  "statusOrFromValue",
  "uriToString",
] as const satisfies (keyof typeof experimental)[];

const listMissing = (api: Readonly<Record<string, unknown>> | undefined): string[] =>
  needed.filter((name) => typeof api?.[name] !== "function");

/** Whether this version of grpc-js has the API that this library was written for. */
export const isSupportedGrpc = (): boolean => listMissing(experimental).length === 0;

/**
 * @param api what grpc-js exports as `experimental`; given in tests
 * @throws Error when this version of grpc-js has another API than the one that this library was written for
 */
export function requireSupportedGrpc(api: Readonly<Record<string, unknown>> | undefined = experimental): void {
  const missing = listMissing(api);
  if (missing.length === 0) return;
  throw new Error(
    `@grpc-lb/resolver needs @grpc/grpc-js 1.14; the installed version lacks experimental.${missing.join(", ")}`,
  );
}

/** The package whose copies must be one. */
const grpcPackage = {
  name: "@grpc/grpc-js",
  main: "build/src/index.js",
  marker: /No resolver could be created for targe[t]/,
} as const;

/** Another copy of this library has another one. */
const self = {};

/**
 * Records that resolvers are registered in this copy of grpc-js, and describes what is loaded more than once: resolvers are registered
 * in one copy of grpc-js, and the channels of another look their targets up in DNS.
 *
 * @returns a warning for each; none as a rule
 */
export function recordRegistration(): readonly string[] {
  const user = "@grpc-lb/resolver";
  const effect = "channels of one do not know the targets that are registered in the other, and look them up in DNS";
  const grpc = describeCopies(grpcPackage, recordCopy(grpcPackage.name, experimental, user), effect);
  const own = recordCopy(user, self, "registerResolvers").length;
  const twice = `there are ${own} copies of ${user} in this process; channels use the resolvers of the one that registered last, with its options; npm dedupe leaves one`;
  return [...(grpc === undefined ? [] : [grpc]), ...(own > 1 ? [twice] : [])];
}

/** Makes grpc-js use a resolver for targets of a scheme. */
export function registerScheme(scheme: string, Resolver: ResolverConstructor): void {
  experimental.registerResolver(scheme, Resolver);
}

/**
 * A resolver that grpc-js has for targets of a scheme; undefined if it has none. It has no list of them, so one is made, and not
 * started. Of one that refuses to be made its error is returned.
 */
export function createRegistered(scheme: string): unknown {
  try {
    return experimental.createResolver({ scheme, path: "placeholder" }, () => true, {});
  } catch (error) {
    return messageOf(error).startsWith("No resolver could be created") ? undefined : error;
  }
}

export const targetText = (target: GrpcUri): string => experimental.uriToString(target);

const converted = new WeakMap<DiscoveredEndpoint, ResolvedEndpoint>();

/** The same endpoint gives the same object each time, by which policies know that it stayed. */
export function toGrpcEndpoint(discovered: DiscoveredEndpoint): ResolvedEndpoint {
  let endpoint = converted.get(discovered);
  if (!endpoint) {
    endpoint = attachEndpoint(
      { addresses: discovered.addresses.map(({ host, port }) => ({ host, port })) },
      discovered,
    );
    converted.set(discovered, endpoint);
  }
  return endpoint;
}

/** Whether a policy of this name is registered. grpc-js takes names of every object's properties, such as `toString`, for one. */
export function isPolicyName(name: string): boolean {
  return experimental.isLoadBalancerNameRegistered(name) && !(name in Object.prototype);
}

/** The first policy of a list that can be used, and why those before it cannot. */
export interface FoundPolicy {
  readonly policy: PolicyConfig | undefined;
  /** Undefined when nothing is wrong: names that are not registered before one that can be used are not (gRFC A24). */
  readonly error: string | undefined;
}

/** Finds the policy that grpc-js will use, with the reasons that it keeps to itself. */
export function findPolicy(policies: readonly PolicyConfig[]): FoundPolicy {
  const unknown: string[] = [];
  const errors: string[] = [];
  for (const policy of policies) {
    const [name = ""] = Object.keys(policy);
    if (!isPolicyName(name)) {
      unknown.push(`"${name}"`);
      continue;
    }
    const config: unknown = policy[name];
    if (typeof config !== "object" || config === null || Array.isArray(config)) {
      errors.push(`the configuration of ${name} must be an object`);
      continue;
    }
    try {
      experimental.parseLoadBalancingConfig(policy);
      return { policy, error: errors.length > 0 ? errors.join("; ") : undefined };
    } catch (error) {
      errors.push(describePolicyError(policy[name], messageOf(error)));
    }
  }
  if (unknown.length > 0) {
    const names = `${unknown.length === 1 ? "policy" : "policies"} ${unknown.join(", ")}`;
    errors.push(`unknown ${names}: not registered; registerPolicies() of @grpc-lb/policies registers its policies`);
  }
  return { policy: undefined, error: errors.length > 0 ? errors.join("; ") : undefined };
}

/** Adds what is wrong in a list of child policies where the error lacks it, as that of grpc-js's outlier_detection does. */
function describePolicyError(config: unknown, message: string): string {
  const { child_policy, childPolicy = child_policy } = (config ?? {}) as Readonly<Record<string, unknown>>;
  const inner = Array.isArray(childPolicy) ? findPolicy(childPolicy).error : undefined;
  return inner === undefined || message.includes(inner) ? message : `${message}: ${inner}`;
}

/** What grpc-js receives with endpoints, or with the reason why there are none. */
export interface ResolverExtras {
  readonly config: ServiceConfig;
  readonly attributes: Attributes;
  /** Default: grpc-js's own, which takes the config of a method from `config`. */
  readonly configSelector?: ConfigSelector | undefined;
}

/** Hands grpc-js the endpoints. The note is for the error of a policy that connects to none of them. */
export function publishEndpoints(
  listener: ResolverListener,
  endpoints: readonly ResolvedEndpoint[],
  { config, attributes, configSelector }: ResolverExtras,
  note: string,
): void {
  const given = { ...attributes };
  // Hidden, so that grpc-js does not take it for an option of connections too, and open new ones with each selector.
  if (configSelector) {
    Object.defineProperty(given, experimental.CHANNEL_ARGS_CONFIG_SELECTOR_KEY, { value: configSelector });
  }
  listener(experimental.statusOrFromValue([...endpoints]), given, experimental.statusOrFromValue(config), note);
}

/** Hands grpc-js the reason why there are none: a policy that has none fails calls with UNAVAILABLE and this message. */
export function publishError(
  listener: ResolverListener,
  message: string,
  { config, attributes }: ResolverExtras,
): void {
  const error = experimental.statusOrFromError<experimental.Endpoint[]>({ code: status.UNAVAILABLE, details: message });
  listener(error, { ...attributes }, experimental.statusOrFromValue(config), "");
}
