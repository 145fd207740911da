import { Channel, credentials } from "@grpc/grpc-js";
import { messageOf } from "@grpc-lb/core";
import { describeIgnoredFields, knownMethodFields } from "@grpc-lb/discovery";
import { findPolicy, isPolicyName, type PolicyConfig, type ServiceConfig } from "./grpc-js.ts";

/** A service config as grpc-js is to be given it, and what of its text does not count. */
export interface ParsedServiceConfig {
  /**
   * Durations have seconds and nanos. `loadBalancingConfig` is empty where the text names no policy; else it has one entry: the
   * first policy of the text that can be used, or `round_robin`.
   */
  readonly config: ServiceConfig;
  /** Why a policy of the text cannot be used, with the field that is wrong; undefined when nothing is wrong. */
  readonly policyError: string | undefined;
  /** A sentence for each field that grpc-js takes and does not obey. */
  readonly ignored: readonly string[];
}

type JsonObject = Readonly<Record<string, unknown>>;

/** The default: one call after the other to each endpoint. */
const roundRobin: readonly PolicyConfig[] = [{ round_robin: {} }];

/**
 * Reads a gRPC service config in JSON (https://github.com/grpc/grpc/blob/master/doc/service_config.md) and checks it as grpc-js
 * will, and further: grpc-js 1.14 reads a timeout of "0.25s" as 25 ns, uses `pick_first` where it can use no policy of the
 * list, and reports neither.
 *
 * - Policies must be registered before. Of several, the first that can be used counts (gRFC A24); a name that is not registered
 *   before it is no error, a configuration that is wrong is.
 * - `loadBalancingPolicy`, the old form, counts where there is no `loadBalancingConfig`; its case does not matter.
 *
 * `JSON.stringify(parseServiceConfig(text).config)` is good for the channel option `grpc.service_config`.
 *
 * @throws RangeError with the reason, when the text is not valid JSON or grpc-js refuses it
 */
export function parseServiceConfig(text: string): ParsedServiceConfig {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new RangeError(`the service config is not valid JSON: ${messageOf(error)}`);
  }
  if (!isObject(value)) throw new RangeError("the service config must be a JSON object");
  checkByGrpcJs(text);
  return readServiceConfig(value);
}

/** grpc-js exports no check of its own: a channel that is never used does it. */
function checkByGrpcJs(text: string): void {
  const options = { "grpc.service_config": text, "grpc.enable_channelz": 0 };
  try {
    new Channel("unix:///", credentials.createInsecure(), options).close();
  } catch (error) {
    throw new RangeError(messageOf(error));
  }
}

/** Reads the service config of a channel's options, which grpc-js has checked. */
export function readChannelConfig(text: string): ParsedServiceConfig {
  return readServiceConfig(JSON.parse(text));
}

function readServiceConfig(json: JsonObject): ParsedServiceConfig {
  const {
    load_balancing_config: other = [],
    loadBalancingConfig = other,
    loadBalancingPolicy,
    methodConfig = [],
  } = json;
  const listed = (Array.isArray(loadBalancingConfig) ? loadBalancingConfig : []) as readonly PolicyConfig[];
  const named = loadBalancingPolicy ? [{ [String(loadBalancingPolicy).toLowerCase()]: {} }] : [];
  const policies = listed.length > 0 ? listed : named;
  const { policy, error } = findPolicy(policies);
  const chosen = policies.length === 0 ? [] : policy ? [policy] : roundRobin;
  const methods = Array.isArray(methodConfig) ? (methodConfig as readonly JsonObject[]) : [];
  const { retryThrottling } = json;
  const config = {
    ...(retryThrottling !== undefined && { retryThrottling }),
    loadBalancingConfig: [...chosen],
    methodConfig: methods.map(readMethod),
  };
  return {
    config: config as unknown as ServiceConfig,
    policyError: error,
    ignored: describeIgnoredFields(json, isPolicyName),
  };
}

/**
 * Chooses the service config that a resolver hands on, which in grpc-js beats the channel's own: that of the channel, else that
 * of the service; with `round_robin` where it names no policy.
 */
export function chooseServiceConfig(
  channelConfig: ServiceConfig | undefined,
  resolvedConfig: ServiceConfig | undefined,
): ServiceConfig {
  const config = channelConfig ?? resolvedConfig ?? { loadBalancingConfig: [], methodConfig: [] };
  return config.loadBalancingConfig.length > 0 ? config : { ...config, loadBalancingConfig: [...roundRobin] };
}

/**
 * What to warn of in a service config; undefined when all of it counts.
 *
 * @param where it stands, such as `kubernetes:///server: grpc.service_config`
 */
export function describeProblems(where: string, parsed: ParsedServiceConfig): string | undefined {
  const { config, policyError, ignored } = parsed;
  const used = Object.keys(config.loadBalancingConfig[0] ?? {}).join();
  const problems = [...(policyError === undefined ? [] : [`${policyError}; ${used} is used instead`]), ...ignored];
  return problems.length > 0 ? `${where}: ${problems.join("; ")}` : undefined;
}

/** What grpc-js obeys of an entry of `methodConfig`. */
function readMethod(method: JsonObject): JsonObject {
  const known = Object.fromEntries(
    knownMethodFields.filter((name) => name in method).map((name) => [name, method[name]]),
  );
  return typeof known.timeout === "string" ? { ...known, timeout: parseDuration(known.timeout) } : known;
}

/** A google.protobuf.Duration in JSON: seconds with up to nine decimals and an "s". */
function parseDuration(text: string): { seconds: number; nanos: number } {
  const [seconds = "0", decimals = ""] = text.slice(0, -1).split(".");
  return { seconds: Number(seconds), nanos: Number(decimals.padEnd(9, "0")) };
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
