import { type ConsulTarget, consul } from "./consul/target.ts";
import type { Parameters } from "./core/target/parameters.ts";
import { readTarget } from "./core/target/read-target.ts";
import type { Scheme } from "./core/target/scheme.ts";
import { type EtcdTarget, etcd } from "./etcd/target.ts";

/** `etcd://host:2379/service?ttl=5s`: where and how to register in etcd. */
export interface EtcdRegistrationTarget extends EtcdTarget {
  /** How long etcd keeps an instance that says nothing, in milliseconds; undefined: the registration's choice. */
  readonly ttlMs: number | undefined;
}

/** `consul://host:8500/service?ttl=5s&tag=v1`: where and how to register in Consul. */
export interface ConsulRegistrationTarget
  extends Pick<ConsulTarget, "t" | "agent" | "service" | "tags" | "namespace" | "partition"> {
  readonly ttlMs: number | undefined;
  /** How Consul checks the instance: the registration refreshes a TTL, or the agent calls its gRPC health service. Default: ttl. */
  readonly check: "ttl" | "grpc";
}

/** Where to register, read. */
export type RegistrationTarget = EtcdRegistrationTarget | ConsulRegistrationTarget;

/** etcd's leases and Consul's checks have whole seconds, and it takes some of them to notice and repair a loss. */
const ttlRange = { minMs: 1_000, maxMs: 86_400_000 };

const ttlOf = (parameters: Parameters) => parameters.durationMs("ttl", ttlRange);

const schemes: { readonly [S in RegistrationTarget["t"]]: Scheme<Extract<RegistrationTarget, { readonly t: S }>> } = {
  etcd: {
    grammar: etcd.grammar.replace("[?", "[?ttl=10s&"),
    parameters: ["ttl", ...etcd.parameters],
    mayBeginWithSlash: true,
    parse: (parts) => ({ ...etcd.parse(parts), ttlMs: ttlOf(parts.parameters) }),
  },
  consul: {
    grammar: "consul://host[:8500]/service[?ttl=10s&tag=&check=grpc&ns=&partition=]",
    parameters: ["ttl", "tag", "check", "ns", "partition"],
    parse(parts) {
      const { t, agent, service, tags, namespace, partition } = consul.parse(parts);
      const check = parts.parameters.choice("check", ["ttl", "grpc"]) ?? "ttl";
      return { t, agent, service, tags, namespace, partition, ttlMs: ttlOf(parts.parameters), check };
    },
  },
};

/**
 * Reads where to register, in the grammar of targets: `etcd:` and `consul:`, with the parameters of a registration.
 *
 * @throws RangeError as `parseTarget`
 */
export function parseRegistrationTarget(text: string): RegistrationTarget {
  return readTarget<RegistrationTarget>("registration", text, schemes);
}
