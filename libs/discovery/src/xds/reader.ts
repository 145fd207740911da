import { formatHostPort, isPortNumber } from "@grpc-lb/core";
import { ClusterLoadAssignment, type LbEndpoint } from "@grpc-lb/protos/envoy/config/endpoint/v3";
import { FractionalPercent_DenominatorType as Denominator } from "@grpc-lb/protos/envoy/type/v3";
import type { DecodedResource, ResourceType } from "@grpc-lb/xds/client";
import { canonicalHost, formatAddress, parseAddress } from "../core/address.ts";
import { printable } from "../core/discovery-error.ts";
import type { Address, Drop, Endpoint } from "../core/snapshot.ts";
import { maxWeight } from "../core/weight.ts";
import { shareByLocality, type WeightedLocality } from "./locality-weights.ts";
import { readMetadata } from "./metadata.ts";

/** What a ClusterLoadAssignment says. */
export interface Assignment {
  /** Those of the lowest priority that has one which takes calls; weight 0 is a standby, which takes them while there is no other. */
  readonly endpoints: readonly Endpoint[];
  /** The ids of all endpoints, also of those that take no calls. */
  readonly ids: ReadonlySet<string>;
  readonly drops: readonly Drop[];
  /** Which endpoints are left out because this client cannot connect to them; undefined if none is. */
  readonly problem: string | undefined;
}

/** The most endpoints of a service, and the most localities; more are refused. */
const maxEndpoints = 100_000;
/** The most additional addresses of an endpoint; more are refused. */
const maxAddresses = 100;
const maxDrops = 100;
/** As HealthStatus: UNKNOWN, HEALTHY, and DEGRADED, whose endpoints are used while there is no other. */
const [unknown, healthy, degraded] = [0, 1, 5];
const denominators: Readonly<Record<number, number>> = {
  [Denominator.HUNDRED]: 100,
  [Denominator.TEN_THOUSAND]: 10_000,
  [Denominator.MILLION]: 1_000_000,
};

/** The resource of EDS (https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/endpoint/v3/endpoint.proto). */
export const edsType: ResourceType<Assignment> = {
  typeUrl: "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
  name: "EDS",
  decode(bytes): DecodedResource<Assignment> {
    let assignment: ClusterLoadAssignment;
    try {
      assignment = ClusterLoadAssignment.decode(bytes);
    } catch {
      throw new Error("it is not valid protobuf"); // what the decoder says has no name of a field
    }
    return { name: assignment.clusterName, read: () => readAssignment(assignment) };
  },
};

/**
 * Checks an assignment, and chooses its endpoints. It is refused as a whole, as gRPC and Envoy do, for anything that cannot be right: so an
 * error of a control plane takes no good endpoint away. These alone are left out: endpoints whose addresses are of a kind that this
 * client does not have, such as a pipe, and, as Envoy does, those with an address that an earlier endpoint has.
 *
 * @throws Error that names the first field that is not valid
 */
export function readAssignment({ endpoints: localities, policy }: ClusterLoadAssignment): Assignment {
  if (localities.length > maxEndpoints)
    throw new Error(`it has ${localities.length} localities, more than ${maxEndpoints}`);
  const count = localities.reduce((sum, { lbEndpoints }) => sum + lbEndpoints.length, 0);
  if (count > maxEndpoints) throw new Error(`it has ${count} endpoints, more than ${maxEndpoints}`);
  const byPriority = new Map<number, WeightedLocality[]>();
  const places = new Set<string>();
  const taken = new Set<string>();
  const ids = new Set<string>();
  let unreachable = 0;
  for (const [n, { locality, lbEndpoints, loadBalancingWeight, priority }] of localities.entries()) {
    const { region = "", zone = "", subZone = "" } = locality ?? {};
    const place = JSON.stringify([priority, region, zone, subZone]);
    const at = `endpoints[${n}]`;
    if (locality && places.has(place)) throw new Error(`${at}: locality ${place} is given twice in a priority`);
    places.add(place);
    const sum = lbEndpoints.reduce((total, { loadBalancingWeight = 1 }) => total + loadBalancingWeight, 0);
    if (sum > maxWeight)
      throw new Error(`${at}: the weights of its endpoints add up to ${sum}, more than ${maxWeight}`);
    const own: WeightedLocality = { weight: loadBalancingWeight, endpoints: [] };
    const group = byPriority.get(priority);
    if (group) group.push(own);
    else byPriority.set(priority, [own]);
    const metadata = { ...(region !== "" && { region }), ...(subZone !== "" && { subZone }) };
    for (const [i, each] of lbEndpoints.entries()) {
      const read = readEndpoint(each, `${at}.lb_endpoints[${i}]`, { zone: zone || undefined, metadata });
      if (!read) {
        unreachable += 1;
        continue;
      }
      const addresses = read.addresses.map(formatAddress);
      if (addresses.some((address) => taken.has(address))) continue;
      for (const address of addresses) taken.add(address);
      ids.add(read.id);
      if (isUsable(each)) own.endpoints.push(read);
    }
  }
  for (let priority = 0; priority < byPriority.size; priority++) {
    const group = byPriority.get(priority);
    if (!group) throw new Error(`priority ${priority} is missing, of ${byPriority.size} priorities`);
    const sum = group.reduce((total, { weight = 0 }) => total + weight, 0);
    if (sum > maxWeight) {
      throw new Error(`the weights of the localities of priority ${priority} add up to ${sum}, more than ${maxWeight}`);
    }
  }
  if (unreachable > 0 && ids.size === 0) throw new Error("none of its endpoints has an IP address and a port");
  const used = [...byPriority].sort(([a], [b]) => a - b).map(([, group]) => shareByLocality(group));
  return {
    ids,
    endpoints: used.find(hasActive) ?? used.find((endpoints) => endpoints.length > 0) ?? [],
    drops: (policy?.dropOverloads ?? []).slice(0, maxDrops).map(({ category, dropPercentage }, n) => {
      const of = denominators[dropPercentage?.denominator ?? Denominator.HUNDRED];
      if (of === undefined) throw new Error(`policy.drop_overloads[${n}]: unknown denominator`);
      return { category: printable(category, 200), fraction: Math.min((dropPercentage?.numerator ?? 0) / of, 1) };
    }),
    problem: unreachable > 0 ? `${unreachable} of ${count} endpoints have no IP address and port` : undefined,
  };
}

/** Whether there is one that is more than a standby. */
const hasActive = (endpoints: readonly Endpoint[]): boolean => endpoints.some(({ weight }) => weight > 0);

function isUsable({ healthStatus }: LbEndpoint): boolean {
  return healthStatus === unknown || healthStatus === healthy || healthStatus === degraded;
}

/** @returns undefined for an address of a kind that this client does not have */
function readEndpoint(
  { hostIdentifier, loadBalancingWeight = 1, healthStatus, metadata }: LbEndpoint,
  at: string,
  more: { readonly zone: string | undefined; readonly metadata: Readonly<Record<string, string>> },
): Endpoint | undefined {
  const endpoint = hostIdentifier?.value;
  const additional = endpoint?.additionalAddresses ?? [];
  if (loadBalancingWeight < 1) throw new Error(`${at}: its weight must be at least 1, got ${loadBalancingWeight}`);
  if (additional.length > maxAddresses) throw new Error(`${at} has more than ${maxAddresses} additional addresses`);
  const all = [endpoint?.address, ...additional.map(({ address }) => address)];
  const addresses = all.flatMap((each) => {
    const socket = each?.address?.value;
    return socket ? [readAddress(socket.address, socket.portSpecifier?.value, at)] : [];
  });
  const [first] = addresses;
  if (!endpoint || !first) return undefined;
  const { hostname } = endpoint;
  const { nodeName, forZones = "", ...rest } = readMetadata(metadata);
  return {
    id: formatAddress(first),
    addresses: addresses.filter((one, n) => addresses.findIndex((other) => isSame(one, other)) === n),
    weight: healthStatus === degraded ? 0 : loadBalancingWeight,
    zone: more.zone,
    forZones: forZones === "" ? [] : forZones.split(","),
    nodeName,
    metadata: {
      ...rest,
      ...more.metadata,
      ...(hostname !== "" && { hostname: printable(hostname, 300) }),
    },
  };
}

function readAddress(host: string, port: number | undefined, at: string): Address {
  if (!isPortNumber(port)) {
    throw new Error(`${at}: the port must be a number from 1 to 65535, got ${port ?? "none"}`);
  }
  try {
    return parseAddress(formatHostPort(canonicalHost(host), port));
  } catch {
    throw new Error(`${at}: the address must be an IP address or a host name, got "${printable(host, 100)}"`);
  }
}

const isSame = (a: Address, b: Address): boolean => a.host === b.host && a.port === b.port;
