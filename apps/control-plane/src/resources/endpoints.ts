import { isIP } from "node:net";
import { type Address, type Endpoint, formatAddress } from "@grpc-lb/discovery";
import { HealthStatus } from "@grpc-lb/protos/envoy/config/core/v3";
import {
  ClusterLoadAssignment,
  type ClusterLoadAssignment_Policy,
  LbEndpoint,
  LocalityLbEndpoints,
} from "@grpc-lb/protos/envoy/config/endpoint/v3";
import { FractionalPercent_DenominatorType } from "@grpc-lb/protos/envoy/type/v3";
import type { Backend } from "../config/config.ts";
import type { ClientKind } from "./client-kind.ts";
import { toIntegers } from "./weights.ts";

/** As `@grpc-lb/discovery/xds` reads it. */
const metadataFilter = "grpc-lb";
/** A service of more endpoints goes without metadata: with it a set would be some 100 bytes an endpoint, sent to each client. */
const maxDescribed = 5_000;

/** The endpoints of a source, and the priority that it is configured with. */
export interface PrioritizedEndpoints {
  readonly priority: number;
  readonly endpoints: readonly Endpoint[];
}

/** An assignment, and why it lacks endpoints that the sources have. */
export interface BuiltEndpoints {
  readonly assignment: ClusterLoadAssignment;
  /** Endpoints that are no IP address, as `host:port`. xDS clients reject a set that has one. */
  readonly skipped: readonly string[];
}

interface Placed {
  readonly endpoint: Endpoint;
  readonly zone: string;
  readonly rank: readonly [source: number, zone: number];
  readonly weight: number;
}

/**
 * The endpoints of a service: in a locality for each zone, in the priorities of sources and zones. The priorities that are in use
 * are numbered without gaps, as clients reject a gap (gRFC A56). An address that several endpoints have counts for the first.
 *
 * gRPC's round_robin ignores the weights of endpoints. Where they matter, each endpoint gets a locality of its own, because the
 * weights of localities do count in every language (gRFC A27).
 *
 * Clients that are not gRPC's get what the sources know of an endpoint as metadata: our own read it, Envoy shows it. gRPC's would not
 * read it, and take messages of 4 MiB at most.
 *
 * @param factors what steering multiplies weights by, by endpoint id; 1 for those that are missing
 */
export function buildEndpoints(
  name: string,
  backend: Backend,
  sources: readonly PrioritizedEndpoints[],
  factors: ReadonlyMap<string, number>,
  kind: ClientKind,
): BuiltEndpoints {
  const { placed, skipped } = place(backend, sources, factors);
  const isSpread = kind === "grpc" && weighsByLocality(backend, placed);
  const isDescribed = kind !== "grpc" && placed.length <= maxDescribed;
  const priorities = new Map<string, Placed[]>();
  for (const one of placed) {
    const key = one.rank.join();
    const members = priorities.get(key) ?? [];
    members.push(one);
    priorities.set(key, members);
  }
  const inOrder = [...priorities.values()].sort(([a], [b]) => compareRanks(a as Placed, b as Placed));
  const endpoints = inOrder.flatMap((members, priority) =>
    buildPriority(members, priority, { isSpread, isDescribed }, backend),
  );
  const assignment = ClusterLoadAssignment.fromPartial({ clusterName: name, endpoints, ...buildDrops(backend) });
  return { assignment, skipped };
}

function place(backend: Backend, sources: readonly PrioritizedEndpoints[], factors: ReadonlyMap<string, number>) {
  const seen = new Set<string>();
  const skipped: string[] = [];
  const placed: Placed[] = [];
  const inOrder = [...sources].sort((a, b) => a.priority - b.priority);
  for (const { priority, endpoints } of inOrder) {
    for (const endpoint of endpoints) {
      const usable = endpoint.addresses.filter(({ host }) => isIP(host) !== 0);
      const addresses = usable.filter((address) => !seen.has(formatAddress(address)));
      if (usable.length === 0) skipped.push(...endpoint.addresses.slice(0, 1).map(formatAddress));
      if (addresses.length === 0) continue;
      for (const address of addresses) seen.add(formatAddress(address));
      const zone = endpoint.zone ?? "";
      const rank = [priority, backend.localities.get(zone)?.priority ?? 0] as const;
      // A source lets an endpoint of weight 0 through only while there is no other.
      const weight = (endpoint.weight || 1) * (factors.get(endpoint.id) ?? 1);
      placed.push({ endpoint: { ...endpoint, addresses }, zone, rank, weight });
    }
  }
  return { placed, skipped };
}

/** Whether weights must be those of localities: gRPC's policies in a locality would ignore them. */
function weighsByLocality({ policy, steering }: Backend, placed: readonly Placed[]): boolean {
  if (policy.t !== "round_robin" && policy.t !== "random") return false;
  return steering.by !== "off" || placed.some(({ weight }) => weight !== placed[0]?.weight);
}

const compareRanks = (a: Placed, b: Placed) => a.rank[0] - b.rank[0] || a.rank[1] - b.rank[1];

function buildPriority(
  members: readonly Placed[],
  priority: number,
  { isSpread, isDescribed }: { readonly isSpread: boolean; readonly isDescribed: boolean },
  { localities }: Backend,
): LocalityLbEndpoints[] {
  const weights = toIntegers(members.map(({ weight }) => weight));
  const groups = new Map<string, { zone: string; subZone: string; weight: number; lbEndpoints: LbEndpoint[] }>();
  const totals = new Map<string, number>();
  for (const [n, { endpoint, zone }] of members.entries()) {
    const weight = weights[n] as number;
    totals.set(zone, (totals.get(zone) ?? 0) + weight);
    const subZone = isSpread ? formatAddress(endpoint.addresses[0] as Address) : "";
    const key = JSON.stringify([zone, subZone]);
    const group = groups.get(key) ?? { zone, subZone, weight: 0, lbEndpoints: [] };
    group.weight += weight;
    group.lbEndpoints.push(buildEndpoint(endpoint, isSpread ? 1 : weight, isDescribed));
    groups.set(key, group);
  }
  const all = [...groups.values()];
  const localityWeights = toIntegers(
    all.map(({ zone, weight }) => {
      const configured = localities.get(zone)?.weight;
      return configured === undefined ? weight : (configured * weight) / (totals.get(zone) as number);
    }),
  );
  return all.map(({ zone, subZone, lbEndpoints }, n) =>
    LocalityLbEndpoints.fromPartial({
      locality: { region: "", zone, subZone },
      lbEndpoints,
      loadBalancingWeight: localityWeights[n] as number,
      priority,
    }),
  );
}

function buildEndpoint(endpoint: Endpoint, loadBalancingWeight: number, isDescribed: boolean): LbEndpoint {
  const [first, ...others] = endpoint.addresses.map(({ host, port }) => ({
    address: {
      $case: "socketAddress",
      value: { address: host, portSpecifier: { $case: "portValue", value: port } },
    } as const,
  }));
  return LbEndpoint.fromPartial({
    hostIdentifier: {
      $case: "endpoint",
      value: { ...(first && { address: first }), additionalAddresses: others.map((address) => ({ address })) },
    },
    healthStatus: HealthStatus.HEALTHY,
    loadBalancingWeight,
    ...(isDescribed && { metadata: buildMetadata(endpoint) }),
  });
}

function buildMetadata({ metadata, nodeName, forZones }: Endpoint) {
  const entries = {
    ...metadata,
    ...(nodeName !== undefined && { nodeName }),
    ...(forZones.length > 0 && { forZones: forZones.join() }),
  };
  return Object.keys(entries).length === 0 ? undefined : { filterMetadata: { [metadataFilter]: entries } };
}

function buildDrops({ dropPercent }: Backend): { policy?: ClusterLoadAssignment_Policy } {
  if (dropPercent === 0) return {};
  const dropPercentage = {
    numerator: Math.round(dropPercent * 1e4),
    denominator: FractionalPercent_DenominatorType.MILLION,
  };
  const policy = { dropOverloads: [{ category: "configured", dropPercentage }] };
  return {
    policy: {
      ...policy,
      overprovisioningFactor: undefined,
      endpointStaleAfter: undefined,
      weightedPriorityHealth: false,
    },
  };
}
