import { messageOf } from "@grpc-lb/core";
import { parseAddress } from "../core/address.ts";
import type { Address } from "../core/snapshot.ts";
import { unescapeText } from "../core/target/parameters.ts";
import type { Scheme } from "../core/target/scheme.ts";

/** `consul://host:8500/service`: a service of Consul, as an agent knows it. */
export interface ConsulTarget {
  readonly t: "consul";
  readonly agent: Address;
  readonly service: string;
  /** Instances must have all of them. Default: none. */
  readonly tags: readonly string[];
  /** The node that instances are sorted by their distance from; `_agent` for the agent's own. */
  readonly near: string | undefined;
  /** The datacenter; undefined: the agent's. */
  readonly dc: string | undefined;
  /** The namespace, of Consul Enterprise; undefined: that of the environment, else of the token. */
  readonly namespace: string | undefined;
  /** The admin partition, of Consul Enterprise; undefined: that of the environment, else of the agent. */
  readonly partition: string | undefined;
  /** How long one blocking query may last, 1 s to 10 min; undefined: the source's choice. */
  readonly waitMs: number | undefined;
  /** At most this many instances, the first ones; undefined: all. */
  readonly limit: number | undefined;
  /** Whether only instances that pass their checks count. Default: true. */
  readonly healthy: boolean;
  /** Whether a server that is not the leader may answer. Default: false. */
  readonly allowStale: boolean;
}

const defaultPort = 8500;

export const consul: Scheme<ConsulTarget> = {
  grammar: "consul://host[:8500]/service[?tag=&near=&dc=&ns=&partition=&wait=&limit=&healthy=&allow-stale]",
  parameters: ["tag", "near", "dc", "ns", "partition", "wait", "limit", "healthy", "allow-stale"],
  parse({ authority, path, parameters, wrong }) {
    let agent: Address;
    try {
      agent = parseAddress(authority, defaultPort);
    } catch (error) {
      throw wrong(`the agent ${messageOf(error)}`);
    }
    const service = unescapeText(path, wrong);
    if (service === "") throw wrong("it names no service");
    if (service.includes("/")) throw wrong(`"${service}" must be a name without a slash`);
    return {
      t: "consul",
      agent,
      service,
      tags: parameters.texts("tag"),
      near: parameters.text("near"),
      dc: parameters.text("dc"),
      namespace: parameters.text("ns"),
      partition: parameters.text("partition"),
      // https://developer.hashicorp.com/consul/api-docs/features/blocking: "This value is limited to 10 minutes"
      waitMs: parameters.durationMs("wait", { minMs: 1_000, maxMs: 600_000 }),
      limit: parameters.integer("limit", { min: 1 }),
      healthy: parameters.truth("healthy") ?? true,
      allowStale: parameters.truth("allow-stale") ?? false,
    };
  },
};
