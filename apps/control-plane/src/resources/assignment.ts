import { ClusterLoadAssignment } from "@grpc-lb/protos/envoy/config/endpoint/v3";
import { FractionalPercent_DenominatorType } from "@grpc-lb/protos/envoy/type/v3";
import type { BuiltEndpoints } from "./endpoints.ts";

const million = 1e6;

/**
 * The ClusterLoadAssignment of a service, encoded. Localities and endpoints are encoded already, so that a change of one endpoint costs little more
 * than a copy of the others.
 */
export function encodeAssignment(name: string, { localities, drops }: BuiltEndpoints): Uint8Array {
  const dropOverloads = drops.map(({ category, fraction }) => ({
    category,
    dropPercentage: {
      numerator: Math.round(fraction * million),
      denominator: FractionalPercent_DenominatorType.MILLION,
    },
  }));
  const head = ClusterLoadAssignment.fromPartial({
    clusterName: name,
    ...(drops.length > 0 && { policy: { dropOverloads } }),
  });
  return Buffer.concat([ClusterLoadAssignment.encode(head).finish(), ...localities.flatMap(({ bytes }) => bytes)]);
}
