import { isDeepStrictEqual } from "node:util";
import type { ChannelOptions } from "@grpc/grpc-js";
import { Fields } from "./fields.ts";
import { EndpointBalancer } from "../balancer/endpoint-balancer.ts";
import {
  type ChannelControlHelper,
  type GrpcEndpoint,
  type LoadBalancer,
  type LoadBalancingConfig,
  registerPolicyType,
  type StatusOr,
} from "../grpc-js.ts";
import type { CommonConfig, Policy, PolicyContext } from "../balancer/policy.ts";

/** What works for one channel under a policy. */
export interface Balancer<Config> {
  /**
   * Takes what the resolver has found, or its error, and the configuration that goes with it: the same object while it says
   * the same.
   */
  update(found: StatusOr<GrpcEndpoint[]>, config: Config, options: ChannelOptions, note: string): void;
  /** Connections come back by themselves; this hastens it. */
  connect(): void;
  /** Gives all connections back; after it nothing is published, and no timer is left. */
  destroy(): void;
}

/** A balancing policy as grpc-js needs to know it. */
export interface PolicyType<Config> {
  /** As a service config names it. */
  readonly name: string;
  /** @throws RangeError that names the field */
  parseConfig(fields: Fields): Config;
  createBalancer(helper: ChannelControlHelper, context: PolicyContext): Balancer<Config>;
}

/** A policy that chooses among endpoints, on the plumbing that all of them share. */
export function endpointPolicy<Config extends CommonConfig, Load>(policy: Policy<Config, Load>): PolicyType<Config> {
  return {
    name: policy.name,
    parseConfig: (fields) => policy.parseConfig(fields),
    createBalancer: (helper, context) => new EndpointBalancer(policy, helper, context),
  };
}

/** Turns a policy into the classes that grpc-js takes, and makes them known to it. */
export function registerType<Config>(type: PolicyType<Config>, context: PolicyContext): void {
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
      return new PolicyConfig(json);
    }

    getLoadBalancerName(): string {
      return name;
    }

    toJsonObject(): object {
      return { [name]: this.#json };
    }

    /**
     * When a name is registered again, as grpc-js-xds does with ring_hash, grpc-js gives the channels that are there
     * configurations of the new kind: what these say is read anew.
     *
     * @returns undefined when it says what this policy does not understand
     */
    static read(config: LoadBalancingConfig): PolicyConfig | undefined {
      if (config instanceof PolicyConfig) return config;
      try {
        return new PolicyConfig((config.toJsonObject() as Readonly<Record<string, unknown>>)[name]);
      } catch {
        return undefined; // the policy that the name belongs to now has found it right, so nobody has made a mistake
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
      // grpc-js parses it anew for each list of endpoints; what is made of it can be kept while it says the same.
      if (given && !isDeepStrictEqual(this.#config?.toJsonObject(), given.toJsonObject())) this.#config = given;
      if (!this.#config) return false;
      this.#balancer.update(found, this.#config.value, options, note);
      return true; // also for an empty list: with false, calls have no config selector and hang
    }

    exitIdle(): void {
      this.#balancer.connect();
    }

    resetBackoff(): void {
      // grpc-js leaves backoff to its subchannels
    }

    destroy(): void {
      this.#balancer.destroy();
    }

    getTypeName(): string {
      return name;
    }
  }

  registerPolicyType(name, PolicyBalancer, PolicyConfig);
}
