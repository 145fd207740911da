import type { ChannelOptions } from "@grpc/grpc-js";
import { describeIgnoredFields, targetOption } from "@grpc-lb/discovery";
import {
  type BalancerClass,
  type ChannelControlHelper,
  channelOf,
  type GrpcEndpoint,
  isRegistered,
  type LoadBalancingConfig,
  type PolicyJson,
  type StatusOr,
} from "../grpc-js.ts";
import { describeError } from "./parse-failure.ts";
import { warnOf } from "./warning.ts";

/** Set for the policies inside another one, which has reported the mistakes. By its prefix grpc-js keeps it from connections. */
const reportedOption = "grpc.internal.no_subchannel.grpc-lb.reported";

/** The warnings of each channel. A channel creates its policy again when it was idle, and when its policy changes. */
const warned = new WeakMap<object, Set<string>>();

/** Reports mistakes in one warning, once per channel. */
export function warnOnce(helper: ChannelControlHelper, ...mistakes: readonly (string | undefined)[]): void {
  const found = mistakes.filter((mistake) => mistake !== undefined);
  const channel = channelOf(helper);
  const known = warned.get(channel) ?? new Set();
  warned.set(channel, known);
  const text = found.join("; ");
  if (text === "" || known.has(text)) return;
  known.add(text);
  warnOf(text);
}

/** Has a policy report the mistakes in the service config of its channel, which grpc-js does not report. */
export function reporting(name: string, Balancer: BalancerClass): BalancerClass {
  return class extends Balancer {
    readonly #helper: ChannelControlHelper;

    constructor(helper: ChannelControlHelper) {
      super(helper);
      this.#helper = helper;
    }

    override updateAddressList(
      found: StatusOr<GrpcEndpoint[]>,
      config: LoadBalancingConfig,
      options: ChannelOptions,
      note: string,
    ): boolean {
      const text = textToCheck(options);
      if (text !== undefined) warnOnce(this.#helper, describeSkipped(text, name), describeIgnored(text));
      return super.updateAddressList(found, config, markReported(options), note);
    }
  };
}

export const markReported = (options: ChannelOptions): ChannelOptions => ({ ...options, [reportedOption]: 1 });

/**
 * The service config of a channel whose mistakes have not been reported: not by the policy that contains this one, nor by this
 * project's resolver.
 */
export function textToCheck(options: ChannelOptions): string | undefined {
  if (targetOption in options || reportedOption in options) return undefined;
  return options["grpc.service_config"] || undefined;
}

/**
 * Policies of a channel's list that come before the one in use and cannot be used because their configuration is invalid. gRPC
 * would reject the whole config; grpc-js skips them.
 */
export function describeSkipped(text: string, used: string): string | undefined {
  const { loadBalancingConfig } = JSON.parse(text) as { readonly loadBalancingConfig?: readonly PolicyJson[] };
  const errors: string[] = [];
  for (const policy of loadBalancingConfig ?? []) {
    const error = describeError(policy);
    if (error === undefined) break;
    if (isRegistered(Object.keys(policy)[0] ?? "")) errors.push(error);
  }
  return errors.length === 0 ? undefined : `grpc.service_config: ${errors.join("; ")}; ${used} is used instead`;
}

/** Fields of a service config that grpc-js accepts and ignores, and timeouts that it misreads. */
export function describeIgnored(text: string): string | undefined {
  const config = JSON.parse(text) as Readonly<Record<string, unknown>>;
  const mistakes = [...describeIgnoredFields(config, isRegistered), ...describeTimeouts(config.methodConfig)];
  return mistakes.length === 0 ? undefined : `grpc.service_config: ${mistakes.join("; ")}`;
}

/** grpc-js 1.14 reads the decimals of "0.25s" as nanoseconds. This project's resolver corrects that. */
function describeTimeouts(methodConfig: unknown): string[] {
  const methods = (Array.isArray(methodConfig) ? methodConfig : []) as readonly { readonly timeout?: unknown }[];
  const timeouts = new Set(methods.map(({ timeout }) => timeout).filter((timeout) => typeof timeout === "string"));
  return [...timeouts].flatMap((timeout) => {
    const [, seconds, decimals = ""] = /^(\d+)\.(\d{1,8})s$/.exec(timeout) ?? [];
    if (Number(decimals) === 0) return [];
    const right = `{"seconds":${Number(seconds)},"nanos":${Number(decimals.padEnd(9, "0"))}}`;
    return [
      `methodConfig.timeout "${timeout}" is ${Number(seconds)} s and ${Number(decimals)} ns to grpc-js: write ${right}`,
    ];
  });
}
