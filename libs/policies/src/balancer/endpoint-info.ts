import type { Endpoint } from "@grpc-lb/discovery";
import { endpointToString, type GrpcEndpoint } from "../grpc-js.ts";

type Address = GrpcEndpoint["addresses"][number];

/** What a policy knows of an endpoint. */
export type EndpointFacts = Pick<Endpoint, "id" | "weight" | "zone" | "forZones" | "metadata"> & {
  /** Its first address as `host:port`; IPv6 in brackets. */
  readonly address: string;
};

/**
 * What discovery knows of an endpoint travels through grpc-js as the field `discovered` (`ResolvedEndpoint` of the resolver,
 * which this library must not know). An endpoint of another resolver is its addresses, with a weight of 1.
 *
 * @param address its first address, for who knows that it has stayed
 */
export function readEndpoint(endpoint: GrpcEndpoint, address = addressOf(endpoint)): EndpointFacts {
  const { discovered } = endpoint as { readonly discovered?: Endpoint };
  if (discovered) {
    const { id, weight, zone, forZones, metadata } = discovered;
    return { id, weight, zone, forZones, metadata, address };
  }
  return { id: idOf(endpoint), weight: 1, zone: undefined, forZones: [], metadata: {}, address };
}

/** What an endpoint is known by across updates: that of discovery, else its addresses. */
function idOf(endpoint: GrpcEndpoint): string {
  const { discovered } = endpoint as { readonly discovered?: Endpoint };
  return discovered ? discovered.id : endpointToString(endpoint);
}

function addressOf(endpoint: GrpcEndpoint): string {
  const [first] = endpoint.addresses;
  return first === undefined ? "" : addressToString(first);
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
 * One entry for each backend: those with the same id are one, with the addresses of all (gRFC A61 asks for as much), so that
 * no backend gets two shares.
 */
export function mergeEndpoints(endpoints: readonly GrpcEndpoint[]): Map<string, GrpcEndpoint> {
  const merged = new Map<string, GrpcEndpoint>();
  for (const endpoint of endpoints) {
    if (endpoint.addresses.length === 0) continue; // there is nothing to connect to
    const id = idOf(endpoint);
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
