import { checkOptions, type OptionRules } from "@grpc-lb/core";
import { canonicalHost, formatAddress } from "../core/address.ts";
import type { Address, Endpoint } from "../core/snapshot.ts";
import { defineSource, type Source, type SourceDefinition } from "../core/source.ts";
import { isWeight, maxWeight } from "../core/weight.ts";

/** Which endpoints there are. */
export interface StaticSourceOptions {
  /**
   * Each address once. A weight is a number from 0 to 2^32 - 1; default: 1. An endpoint of weight 0 is used only while there is
   * no other.
   */
  readonly endpoints: readonly { readonly address: Address; readonly weight?: number }[];
  /** As in `SourceDefinition`. Default: false. */
  readonly background?: boolean;
}

const optionRules: OptionRules = { endpoints: "list", background: "boolean" };
const endpointRules: OptionRules = {
  address: { options: { host: "string", port: "number" }, required: ["host", "port"] },
  weight: "number",
};

/**
 * Creates a source of endpoints that never change: one snapshot, in the order given. In its stats, `watches` counts its runs.
 *
 * @throws RangeError for an address that occurs twice, and for a weight that is not valid; TypeError for what has another type or
 *   name
 */
export function createStaticSource(options: StaticSourceOptions): Source {
  return defineSource(defineStaticSource(options));
}

/** What `createStaticSource` makes a source of. @throws RangeError as it does */
export function defineStaticSource(options: StaticSourceOptions): SourceDefinition {
  checkOptions("createStaticSource", options, optionRules, ["endpoints"]);
  for (const endpoint of options.endpoints) {
    checkOptions("createStaticSource: endpoints", endpoint, endpointRules, ["address"]);
  }
  const endpoints = options.endpoints.map(({ address, weight = 1 }) => toEndpoint(address, weight));
  const seen = new Set<string>();
  for (const { id } of endpoints) {
    if (seen.has(id)) throw new RangeError(`endpoints must have each address once, got ${id} twice`);
    seen.add(id);
  }
  return {
    subject: `static ${[...seen].join(",")}`,
    key: `static ${JSON.stringify(endpoints.map(({ id, weight }) => [id, weight]))}`,
    background: options.background,
    async start(store) {
      store.watches += 1;
      store.endpoints.replaceAll(endpoints, { keepsOrder: true });
      store.sync();
    },
  };
}

function toEndpoint({ host, port }: Address, weight: number): Endpoint {
  const address = { host: canonicalHost(host), port };
  const id = formatAddress(address);
  if (!isWeight(weight)) {
    throw new RangeError(`the weight of ${id} must be a number from 0 to ${maxWeight}, got ${weight}`);
  }
  return { id, addresses: [address], weight, zone: undefined, forZones: [], nodeName: undefined, metadata: {} };
}
