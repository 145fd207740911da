import { type Endpoint, type EndpointCarrier, endpointOf } from "@grpc-lb/discovery";
import { endpointToString, type GrpcEndpoint } from "../grpc-js.ts";

type Address = GrpcEndpoint["addresses"][number];

/** What a policy knows of an endpoint. */
export type EndpointInfo = Pick<Endpoint, "id" | "weight" | "zone" | "forZones" | "metadata"> & {
  /** Its first address as `host:port`; IPv6 in brackets. */
  readonly address: string;
};

/**
 * Reads what discovery has attached to an endpoint (`attachEndpoint`). An endpoint of another resolver, which carries nothing,
 * is identified by its addresses and has a weight of 1.
 *
 * @param address its first address, for a caller that knows it already
 */
export function readEndpointInfo(endpoint: GrpcEndpoint, address = firstAddress(endpoint)): EndpointInfo {
  const discovered = endpointOf(endpoint as EndpointCarrier);
  if (discovered) {
    const { id, weight, zone, forZones, metadata } = discovered;
    return { id, weight, zone, forZones, metadata, address };
  }
  return { id: endpointId(endpoint), weight: 1, zone: undefined, forZones: [], metadata: {}, address };
}

/** Identifies an endpoint across updates: discovery's id, else its addresses. */
function endpointId(endpoint: GrpcEndpoint): string {
  return endpointOf(endpoint as EndpointCarrier)?.id ?? endpointToString(endpoint);
}

function firstAddress({ addresses: [first] }: GrpcEndpoint): string {
  return first === undefined ? "" : addressToString(first);
}

/**
 * A field of an endpoint's metadata; undefined when it is absent or not a string. Field names come from configurations, so
 * that of an inherited property, such as `constructor`, must not match.
 */
export function metadataText({ metadata }: EndpointInfo, name: string): string | undefined {
  const value: unknown = Object.hasOwn(metadata, name) ? metadata[name] : undefined;
  return typeof value === "string" ? value : undefined;
}

/** Whether two endpoints have the same addresses in the same order. */
export function hasSameAddresses({ addresses: a }: GrpcEndpoint, { addresses: b }: GrpcEndpoint): boolean {
  return a.length === b.length && a.every((address, i) => isSameAddress(address, b[i]));
}

function isSameAddress(a: Address, b: Address | undefined): boolean {
  if (b === undefined || "path" in a || "path" in b) {
    return b !== undefined && "path" in a && "path" in b && a.path === b.path;
  }
  return a.host === b.host && a.port === b.port;
}

const addressToString = (address: Address): string => endpointToString({ addresses: [address] }).slice(1, -1);

/**
 * Merges endpoints with the same id into one that has the addresses of all, so that no backend gets two shares (gRFC A61).
 * Endpoints without an address are left out.
 *
 * @returns the endpoints by id, in the order of their first appearance
 */
export function mergeEndpoints(endpoints: readonly GrpcEndpoint[]): Map<string, GrpcEndpoint> {
  const merged = new Map<string, GrpcEndpoint>();
  for (const endpoint of endpoints) {
    if (endpoint.addresses.length === 0) continue;
    const id = endpointId(endpoint);
    const known = merged.get(id);
    if (!known) {
      merged.set(id, endpoint);
      continue;
    }
    const has = new Set(known.addresses.map(addressToString));
    const more = endpoint.addresses.filter((address) => !has.has(addressToString(address)));
    if (more.length > 0) merged.set(id, { ...known, addresses: [...known.addresses, ...more] });
  }
  return merged;
}
