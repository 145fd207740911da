import { type Drop, type Endpoint, formatAddress } from "@grpc-lb/discovery";
import type { Backend } from "../config/config.ts";
import type { ClientKind } from "./client-kind.ts";
import { EncodedEndpoint } from "./encoded-endpoint.ts";
import { EncodedLocality } from "./encoded-locality.ts";
import { toIntegers } from "./weights.ts";

/** A service of more endpoints goes without metadata: with it a set would be some 100 bytes an endpoint, sent to each client. */
const maxDescribed = 5_000;

/** The endpoints of a source, and the priority that it is configured with. */
export interface PrioritizedEndpoints {
  readonly priority: number;
  readonly endpoints: readonly Endpoint[];
  /** The calls that its control plane wants to be dropped. Default: none. */
  readonly drops?: readonly Drop[] | undefined;
}

/** What an assignment is made of. */
export interface BuiltEndpoints {
  /** In the order of priorities, which have no gaps. */
  readonly localities: readonly EncodedLocality[];
  readonly drops: readonly Drop[];
}

/** What clients of each kind get of a service: the same object where it is the same. */
export interface ServiceEndpoints extends Readonly<Record<ClientKind, BuiltEndpoints>> {
  /** Endpoints that are no IP address, as `host:port`. xDS clients reject a set that has one. */
  readonly skipped: readonly string[];
  /** How many endpoints are served: without those, and without those whose addresses others have. */
  readonly count: number;
}

interface Placed {
  readonly encoded: EncodedEndpoint;
  readonly zone: string;
  /** By the priority of the source, then by that of the zone. */
  readonly rank: number;
  readonly weight: number;
}

/** More than a priority of the configuration. */
const ranksOfSource = 100;

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
  backend: Backend,
  sources: readonly PrioritizedEndpoints[],
  factors: ReadonlyMap<string, number>,
): ServiceEndpoints {
  const { placed, skipped } = place(backend, sources, factors);
  const priorities = new Map<number, Placed[]>();
  for (const one of placed) {
    const members = priorities.get(one.rank);
    if (members) members.push(one);
    else priorities.set(one.rank, [one]);
  }
  const inOrder = [...priorities].sort(([a], [b]) => a - b).map(([, members]) => members);
  const drops = dropsOf(backend, sources);
  const build = (form: "spread" | "described" | "plain") => {
    const localities = inOrder.flatMap((members, priority) =>
      form === "spread" ? spread(members, priority, backend) : group(members, priority, form === "described", backend),
    );
    return { localities, drops };
  };
  const isDescribed = placed.length <= maxDescribed;
  const envoy = build(isDescribed ? "described" : "plain");
  const count = placed.length;
  if (weighsByLocality(backend, placed)) return { grpc: build("spread"), envoy, skipped, count };
  return { grpc: isDescribed ? build("plain") : envoy, envoy, skipped, count };
}

function place(backend: Backend, sources: readonly PrioritizedEndpoints[], factors: ReadonlyMap<string, number>) {
  const taken = new Set<string>();
  const skipped: string[] = [];
  const placed: Placed[] = [];
  const inOrder = [...sources].sort((a, b) => a.priority - b.priority);
  for (const { priority, endpoints } of inOrder) {
    for (const endpoint of endpoints) {
      const all = EncodedEndpoint.of(endpoint);
      if (all.keys.length === 0) skipped.push(...endpoint.addresses.slice(0, 1).map(formatAddress));
      const encoded = all.take(taken);
      if (!encoded) continue;
      const zone = endpoint.zone ?? "";
      const rank = priority * ranksOfSource + (backend.localities.get(zone)?.priority ?? 0);
      // A source lets an endpoint of weight 0 through only while there is no other.
      const weight = (endpoint.weight || 1) * (factors.get(endpoint.id) ?? 1);
      placed.push({ encoded, zone, rank, weight });
    }
  }
  return { placed, skipped };
}

/** Whether weights must be those of localities: gRPC's policies in a locality would ignore them. */
function weighsByLocality({ policy, steering }: Backend, placed: readonly Placed[]): boolean {
  if (policy.t !== "round_robin" && policy.t !== "random") return false;
  return steering.by !== "off" || placed.some(({ weight }) => weight !== placed[0]?.weight);
}

/** The weights of endpoints as xDS takes them, and of their zones together. */
function weigh(members: readonly Placed[]) {
  const weights = toIntegers(members.map(({ weight }) => weight));
  const totals = new Map<string, number>();
  for (const [n, { zone }] of members.entries()) totals.set(zone, (totals.get(zone) ?? 0) + (weights[n] as number));
  return { weights, totals };
}

/** A locality for each endpoint. */
function spread(members: readonly Placed[], priority: number, { localities }: Backend): EncodedLocality[] {
  const { weights, totals } = weigh(members);
  const shares = toIntegers(
    members.map(({ zone }, n) => {
      const configured = localities.get(zone)?.weight;
      const weight = weights[n] as number;
      return configured === undefined ? weight : (configured * weight) / (totals.get(zone) as number);
    }),
  );
  return members.map(({ encoded, zone }, n) => encoded.encodeAlone({ zone, weight: shares[n] as number, priority }));
}

/** A locality for each zone. */
function group(
  members: readonly Placed[],
  priority: number,
  isDescribed: boolean,
  { localities }: Backend,
): EncodedLocality[] {
  const { weights, totals } = weigh(members);
  const fields = new Map([...totals.keys()].map((zone) => [zone, [] as Uint8Array[]]));
  for (const [n, { encoded, zone }] of members.entries()) {
    fields.get(zone)?.push(encoded.encode(weights[n] as number, isDescribed));
  }
  const shares = toIntegers([...totals].map(([zone, total]) => localities.get(zone)?.weight ?? total));
  return [...fields].map(([zone, lbEndpoints], n) => {
    return new EncodedLocality({ zone, subZone: "", weight: shares[n] as number, priority, lbEndpoints });
  });
}

/** Those of the configuration, and those of the source. Those of several sources would count for the endpoints of all, so they do not. */
function dropsOf({ dropPercent }: Backend, sources: readonly PrioritizedEndpoints[]): readonly Drop[] {
  const [only, other] = sources;
  const passed = other ? [] : (only?.drops ?? []);
  return dropPercent === 0 ? passed : [...passed, { category: "configured", fraction: dropPercent / 100 }];
}
