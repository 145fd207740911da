import { checkOptions, maxDurationMs, type OptionRules } from "@grpc-lb/core";
import { readXdsEnvironment, type XdsCredentials, type XdsNode, type XdsProtocol } from "@grpc-lb/xds/client";
import { formatAddress } from "../core/address.ts";
import { defaultMissingGraceMs } from "../core/missing-instances.ts";
import type { Address } from "../core/snapshot.ts";
import { defineSourceIn, type Source, type SourceDefinitionIn, untilAborted } from "../core/source.ts";
import { acquireControlPlane } from "./control-plane.ts";
import { EndpointWatch } from "./endpoint-watch.ts";
import { xdsOptions } from "./options.ts";
import { edsType } from "./reader.ts";

/** Which endpoints, from which control plane, and how. */
export interface XdsSourceOptions {
  /** The control plane. */
  readonly controlPlane: Address;
  /** The name of the EDS resource: a cluster, or the service name that the cluster has for EDS. */
  readonly name: string;
  /** Delta, state of the world, or the first of them that the control plane has. Default: auto. */
  readonly protocol?: XdsProtocol;
  /** Default: those of gRPC's bootstrap in the environment, see `readXdsEnvironment`; else no TLS and no token. */
  readonly credentials?: XdsCredentials;
  /** Who the client is. Default: that of gRPC's bootstrap in the environment; else the host's name. */
  readonly node?: XdsNode;
  /** How long connecting may take, in milliseconds. Default: 5 s. */
  readonly connectTimeoutMs?: number;
  /** After how long without a frame the control plane is pinged, in milliseconds. Default: 30 s, which istiod allows. */
  readonly keepaliveMs?: number;
  /** How long the answer to a ping may take, in milliseconds. Default: 10 s. */
  readonly keepaliveTimeoutMs?: number;
  /** After how long without an answer a name does not exist, in milliseconds. Default: 15 s, as gRFC A27. */
  readonly missingAfterMs?: number;
  /** How long an endpoint is served that the first answer after a reconnect lacks, in milliseconds. Default: 10 s. */
  readonly missingGraceMs?: number;
  /**
   * Whether an iterator of `watch` does not keep the process alive by itself: for those whose pending work does, and whose
   * process may end when there is none. Default: false.
   */
  readonly background?: boolean;
}

const times = { connectTimeoutMs: 1, keepaliveMs: 1, keepaliveTimeoutMs: 1, missingAfterMs: 1, missingGraceMs: 0 };
const optionRules: OptionRules = {
  ...xdsOptions,
  controlPlane: { options: { host: "string", port: "number" }, required: ["host", "port"] },
  name: "string",
  protocol: "string",
  ...Object.fromEntries(Object.keys(times).map((name) => [name, "number" as const])),
  background: "boolean",
};

/** The warnings of this process. */
const warned = new Set<string>();

/**
 * Watches endpoints that a control plane of xDS has: EDS over ADS. An endpoint's id is its first address. While the control plane
 * cannot be reached, the last good endpoints stay, with the error. A resource that cannot be used is rejected, and leaves the last good one
 * in use, with an error of code `invalid`.
 *
 * All sources of the same control plane, node and credentials share one stream in a process; sources of the same name share one
 * watch. Deadlines are those of the source that started it.
 *
 * @throws RangeError for options that are not valid, also those of the environment; TypeError for those of another type or name
 */
export function createXdsSource(options: XdsSourceOptions): Source {
  return defineSourceIn(defineXdsSource(options), {});
}

/** The definition of `createXdsSource`. */
export function defineXdsSource(options: XdsSourceOptions): SourceDefinitionIn {
  checkOptions("createXdsSource", options, optionRules, ["controlPlane", "name"]);
  for (const [name, min] of Object.entries(times)) {
    const ms = options[name as keyof typeof times];
    if (ms !== undefined && !(ms >= min && ms <= maxDurationMs)) {
      throw new RangeError(`${name} must be >= ${min} and <= ${maxDurationMs}, got ${ms}`);
    }
  }
  const { controlPlane, name, protocol = "auto", missingGraceMs = defaultMissingGraceMs, background } = options;
  if (!["auto", "delta", "sotw"].includes(protocol)) throw new RangeError("protocol must be auto, delta or sotw");
  if (name === "") throw new RangeError("name must not be empty");
  const address = formatAddress(controlPlane);
  const environment = readXdsEnvironment(address);
  const { warning } = environment;
  if (warning !== undefined && !options.credentials && !warned.has(warning)) {
    warned.add(warning);
    process.emitWarning(`xds: ${warning}`, { type: "GrpcLbWarning" });
  }
  const { credentials = environment.credentials, node = environment.node } = options;
  const { connectTimeoutMs, keepaliveMs, keepaliveTimeoutMs, missingAfterMs } = options;
  const deadlines = { connectTimeoutMs, keepaliveMs, keepaliveTimeoutMs, missingAfterMs };
  const client = { ...controlPlane, protocol, credentials, node, ...deadlines };
  return {
    subject: `xds ${name}`,
    key: `xds ${JSON.stringify([address, name, protocol, credentials, node])}`,
    background,
    async start(store, signal, context) {
      store.lists += 1;
      store.watches += 1;
      const lease = acquireControlPlane(client, context);
      const watch = new EndpointWatch(
        { name, controlPlane: address, missingGraceMs, clock: context.clock },
        store,
        signal,
      );
      const unwatch = lease.value.watch(edsType, name, watch);
      try {
        await Promise.race([untilAborted(signal), lease.ended]);
      } finally {
        unwatch();
        await lease.release();
      }
    },
  };
}
