import type { ClusterLoadReport, LoadCounts } from "@grpc-lb/xds/server";
import type { ClientLoad } from "./client-loads.ts";

/**
 * What a client has seen of each endpoint. Envoy reports endpoints; gRPC reports localities alone, of which each endpoint of a service
 * that is steered by clients has one of its own, named after its address.
 */
export function clientLoadsOf({ localities }: ClusterLoadReport): readonly ClientLoad[] {
  return localities.flatMap((locality) => {
    if (locality.endpoints.length > 0) return locality.endpoints.map((one) => toLoad(one.address, one));
    const { subZone } = locality.locality;
    return subZone === "" ? [] : [toLoad(subZone, locality)];
  });
}

const toLoad = (address: string, { succeeded, failed, inProgress }: LoadCounts): ClientLoad => ({
  ...{ address, succeeded, failed, inProgress },
});
