import { isDeepStrictEqual } from "node:util";
import type { ChannelOptions } from "@grpc/grpc-js";
import type { Balancer, BalancerContext, PolicyType } from "../balancer/balancer.ts";
import { EndpointBalancer } from "../balancer/endpoint-balancer.ts";
import type { CommonConfig, Policy } from "../balancer/policy.ts";
import { Fields } from "../config/fields.ts";
import {
  type ChannelControlHelper,
  type GrpcEndpoint,
  type LoadBalancer,
  type LoadBalancingConfig,
  registerPolicyType,
  type StatusOr,
} from "../grpc-js.ts";
import { reporting } from "./mistakes.ts";
import { keepFailure } from "./parse-failure.ts";

/** The policy type of a policy that picks among endpoints, on the shared base balancer. */
export function endpointPolicy<Config extends CommonConfig, EndpointState>(
  policy: Policy<Config, EndpointState>,
): PolicyType<Config> {
  return {
    name: policy.name,
    parseConfig: (fields) => policy.parseConfig(fields),
    createBalancer: (helper, context) => new EndpointBalancer(policy, helper, context),
  };
}

/**
 * Registers a policy in grpc-js, by way of the two classes that grpc-js takes for one.
 *
 * @param context a channel keeps what is in it when the channel is created
 */
export function registerType<Config>(type: PolicyType<Config>, context: BalancerContext): void {
  const { name } = type;

  class PolicyConfig implements LoadBalancingConfig {
    readonly value: Config;
    readonly #json: object;

    constructor(json: unknown = {}) {
      const fields = new Fields(json);
      this.value = type.parseConfig(fields);
      fields.end();
      this.#json = json as object;
    }

    static createFromJson(json: unknown): PolicyConfig {
      return keepFailure(name, () => new PolicyConfig(json));
    }

    getLoadBalancerName(): string {
      return name;
    }

    toJsonObject(): object {
      return { [name]: this.#json };
    }

    /**
     * When a name is registered again, as grpc-js-xds does with ring_hash, grpc-js gives the existing channels configurations
     * of the new kind: they are parsed again here.
     *
     * @returns undefined when this policy does not understand it
     */
    static read(config: LoadBalancingConfig): PolicyConfig | undefined {
      if (config instanceof PolicyConfig) return config;
      try {
        return new PolicyConfig((config.toJsonObject() as Readonly<Record<string, unknown>>)[name]);
      } catch {
        return undefined; // it is valid for the policy that owns the name now: there is no mistake to report
      }
    }
  }

  class PolicyBalancer implements LoadBalancer {
    readonly #balancer: Balancer<Config>;
    #config: PolicyConfig | undefined;

    constructor(helper: ChannelControlHelper) {
      this.#balancer = type.createBalancer(helper, { ...context });
    }

    updateAddressList(
      found: StatusOr<GrpcEndpoint[]>,
      config: LoadBalancingConfig,
      options: ChannelOptions,
      note: string,
    ): boolean {
      if (config.getLoadBalancerName() !== name) return false;
      const given = PolicyConfig.read(config);
      // grpc-js parses the configuration again for each list of endpoints; an equal one keeps its object.
      if (given && !isDeepStrictEqual(this.#config?.toJsonObject(), given.toJsonObject())) this.#config = given;
      if (!this.#config) return false;
      this.#balancer.update(found, this.#config.value, options, note);
      return true; // also for an empty list: with false, calls get no config selector and hang
    }

    exitIdle(): void {
      this.#balancer.connect();
    }

    resetBackoff(): void {
      // grpc-js keeps the backoff in its subchannels
    }

    destroy(): void {
      this.#balancer.destroy();
    }

    getTypeName(): string {
      return name;
    }
  }

  registerPolicyType(name, reporting(name, PolicyBalancer), PolicyConfig);
}
