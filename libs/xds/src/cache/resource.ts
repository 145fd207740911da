import { hash } from "node:crypto";
import { Cluster } from "@grpc-lb/protos/envoy/config/cluster/v3";
import { ClusterLoadAssignment } from "@grpc-lb/protos/envoy/config/endpoint/v3";
import { Listener } from "@grpc-lb/protos/envoy/config/listener/v3";
import { RouteConfiguration } from "@grpc-lb/protos/envoy/config/route/v3";
import { DeltaDiscoveryResponse, DiscoveryResponse } from "@grpc-lb/protos/envoy/service/discovery/v3";
import { typeUrls } from "../type-urls.ts";
import { clusterReferences, listenerReferences, type Reference, routeReferences } from "./references.ts";

/**
 * A resource as it goes to clients. It is encoded once, for all clients. Immutable: keep it as long as its content
 * does not change, and the cache knows without a comparison that it did not.
 */
export interface Resource {
  readonly typeUrl: string;
  /** Unique among resources of its type. */
  readonly name: string;
  /** A hash of the content in 16 hex digits: the same content has the same version, on every control plane and after a restart. */
  readonly version: string;
  /** What a snapshot with this resource must also have. */
  readonly references: readonly Reference[];
  /** The field `resources` of a DeltaDiscoveryResponse, with its tag. */
  readonly deltaField: Buffer;
  /** The field `resources` of a DiscoveryResponse, with its tag. A part of `deltaField`: both have the same number. */
  readonly stateField: Buffer;
}

/** What gRPC clients dial, or where Envoy listens (LDS). */
export function listenerResource(listener: Listener): Resource {
  return createResource(
    typeUrls.listener,
    listener.name,
    Listener.encode(listener).finish(),
    listenerReferences(listener),
  );
}

/** Which calls go to which cluster (RDS). */
export function routeResource(route: RouteConfiguration): Resource {
  return createResource(typeUrls.route, route.name, RouteConfiguration.encode(route).finish(), routeReferences(route));
}

/** How servers are found and balanced (CDS). */
export function clusterResource(cluster: Cluster): Resource {
  return createResource(typeUrls.cluster, cluster.name, Cluster.encode(cluster).finish(), clusterReferences(cluster));
}

/** The servers of a cluster (EDS). */
export function endpointsResource(assignment: ClusterLoadAssignment): Resource {
  return createResource(typeUrls.endpoints, assignment.clusterName, ClusterLoadAssignment.encode(assignment).finish());
}

/**
 * A resource of any type.
 *
 * @param value the message in protobuf
 * @param references what a snapshot with this resource must also have
 */
export function createResource(
  typeUrl: string,
  name: string,
  value: Uint8Array,
  references: readonly Reference[] = [],
): Resource {
  const any = { typeUrl, value: Buffer.from(value.buffer, value.byteOffset, value.byteLength) };
  const stateField = DiscoveryResponse.encode(DiscoveryResponse.fromPartial({ resources: [any] })).finish();
  const version = hash("sha256", stateField, "hex").slice(0, 16);
  const delta = DeltaDiscoveryResponse.fromPartial({ resources: [{ version, name, resource: any }] });
  const deltaField = Buffer.from(DeltaDiscoveryResponse.encode(delta).finish());
  const start = deltaField.indexOf(stateField);
  return {
    typeUrl,
    name,
    version,
    references,
    deltaField,
    stateField: deltaField.subarray(start, start + stateField.length),
  };
}
