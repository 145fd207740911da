import { type EndpointInfo, readEndpointInfo } from "../../balancer/endpoint-info.ts";
import type { GrpcEndpoint } from "../../grpc-js.ts";

/** The endpoints to use first, and the others; both in the resolver's order. */
export interface Split {
  readonly local: readonly GrpcEndpoint[];
  readonly remote: readonly GrpcEndpoint[];
}

/**
 * Splits endpoints by zone for a client in `zone`. The hints of EndpointSlices come first, because they are what Kubernetes has
 * planned; then the zones of the endpoints. Both count only under kube-proxy's safeguards: every endpoint must have one, because a
 * part without means a change in progress, and enough of them must be local. Otherwise all endpoints are local.
 * https://kubernetes.io/docs/concepts/services-networking/topology-aware-routing/#safeguards
 *
 * @param minLocal how many local endpoints are enough
 */
export function splitByZone(endpoints: readonly GrpcEndpoint[], zone: string | undefined, minLocal: number): Split {
  const allLocal = { local: endpoints, remote: [] };
  if (zone === undefined) return allLocal;
  const info = new Map(endpoints.map((endpoint) => [endpoint, readEndpointInfo(endpoint)]));
  const split = (isKnown: (info: EndpointInfo) => boolean, isLocal: (info: EndpointInfo) => boolean) => {
    const local = new Set<GrpcEndpoint>();
    const ids = new Set<string>();
    for (const [endpoint, known] of info) {
      if (!isKnown(known)) return undefined;
      if (!isLocal(known)) continue;
      local.add(endpoint);
      ids.add(known.id);
    }
    if (ids.size < minLocal) return undefined;
    return {
      local: endpoints.filter((endpoint) => local.has(endpoint)),
      remote: endpoints.filter((endpoint) => !local.has(endpoint)),
    };
  };
  return (
    split(
      ({ forZones }) => forZones.length > 0,
      ({ forZones }) => forZones.includes(zone),
    ) ??
    split(
      (known) => Boolean(known.zone),
      (known) => known.zone === zone,
    ) ??
    allLocal
  );
}
