import { Channel, credentials } from "@grpc/grpc-js";
import { canUsePolicy, type ServiceConfig } from "./grpc-js.ts";

type PolicyConfigs = ServiceConfig["loadBalancingConfig"];

/** What is used when nobody chose: one call after the other to each endpoint. */
const roundRobin: PolicyConfigs = [{ round_robin: {} }];

/**
 * The service config that a resolver hands on, which in grpc-js beats the channel's. Whoever made the channel comes first:
 * theirs is used as it is, and when it names no policy, with `round_robin`. Then comes what the service itself asks for, then
 * `round_robin`.
 */
export function chooseServiceConfig(
  ofUser: ServiceConfig | undefined,
  ofService: ServiceConfig | undefined,
): ServiceConfig {
  const config = ofUser ?? ofService ?? { loadBalancingConfig: [], methodConfig: [] };
  return config.loadBalancingConfig.length > 0 ? config : { ...config, loadBalancingConfig: roundRobin };
}

/**
 * Reads the service config of a channel's options, which grpc-js has checked. Durations are read here, because grpc-js 1.14
 * takes a timeout of "0.25s" for 25 ns. The old `loadBalancingPolicy` counts as a choice where there is no
 * `loadBalancingConfig`, as the service config's specification has it; grpc-js itself does not look at it.
 */
export function readServiceConfig(text: string): ServiceConfig {
  const config = JSON.parse(text);
  const { methodConfig, loadBalancingConfig, loadBalancingPolicy, ...rest } = config;
  const named: PolicyConfigs = loadBalancingPolicy ? [{ [String(loadBalancingPolicy).toLowerCase()]: {} }] : [];
  return {
    ...rest,
    loadBalancingConfig: loadBalancingConfig?.length > 0 ? loadBalancingConfig : named,
    methodConfig: Array.isArray(methodConfig) ? methodConfig.map(readTimeout) : [], // as grpc-js leaves out what is no array
  };
}

/**
 * Reads a service config that nobody has checked yet. grpc-js keeps its own check to itself: a channel that is never used
 * tells whether it would be taken.
 *
 * @throws Error that says what is wrong
 */
export function parseServiceConfig(text: string): ServiceConfig {
  const value: unknown = JSON.parse(text);
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error("it is no JSON object");
  const options = { "grpc.service_config": text, "grpc.enable_channelz": 0 };
  new Channel("unix:///", credentials.createInsecure(), options).close();
  const config = readServiceConfig(text);
  const unusable = describeUnusable(config);
  if (unusable !== undefined) throw new Error(unusable);
  return config;
}

/** What is wrong with a config none of whose policies can be used: grpc-js takes pick_first then, and says nothing. */
export function describeUnusable({ loadBalancingConfig }: ServiceConfig): string | undefined {
  if (loadBalancingConfig.length === 0 || canUsePolicy(loadBalancingConfig)) return undefined;
  const names = loadBalancingConfig.flatMap((policy) => Object.keys(policy)).join(", ");
  return `no policy of it can be used: ${names} is not registered, or its own config is wrong`;
}

function readTimeout<T extends { timeout?: unknown }>(method: T): T {
  return typeof method.timeout === "string" ? { ...method, timeout: parseDuration(method.timeout) } : method;
}

/** A google.protobuf.Duration in JSON: seconds with up to nine decimals and an "s". */
function parseDuration(text: string): { seconds: number; nanos: number } {
  const [seconds = "0", decimals = ""] = text.slice(0, -1).split(".");
  return { seconds: Number(seconds), nanos: Number(decimals.padEnd(9, "0")) };
}
