/**
 * Where the backends are: one model for every source. `createSource` makes the `Source` of a target, which publishes whole
 * `Snapshot`s; `./kubernetes`, `./etcd`, `./consul`, `./dns`, `./file` and `./static` have the sources with all their options.
 *
 * ```ts
 * import { createSource } from "@grpc-lb/discovery";
 *
 * const source = createSource("kubernetes:///server.default:grpc");
 * for await (const { endpoints, error } of source.watch()) console.log(endpoints?.length, error?.message);
 * ```
 */

export type { ConsulTarget } from "./consul/target.ts";
export { formatAddress, parseAddress } from "./core/address.ts";
export { attachEndpoint, type EndpointCarrier, endpointOf, targetOption } from "./core/attached-endpoint.ts";
export { DiscoveryError, type DiscoveryErrorCode } from "./core/discovery-error.ts";
export type { EndpointSet } from "./core/endpoint-set.ts";
export { describeIgnoredFields, knownMethodFields } from "./core/ignored-fields.ts";
export type { Address, Drop, Endpoint, Snapshot } from "./core/snapshot.ts";
export type { SnapshotListener, SnapshotStore, Synced } from "./core/snapshot-store.ts";
export { defineSource, type Source, type SourceDefinition, type Subscription } from "./core/source.ts";
export type { SourceStats } from "./core/source-stats.ts";
export { maxWeight } from "./core/weight.ts";
export { createSource, type SourceOptions } from "./create-source.ts";
export type { DnsPollTarget } from "./dns/target.ts";
export type { EtcdTarget } from "./etcd/target.ts";
export type { FileTarget } from "./file/target.ts";
export type { KubernetesTarget } from "./kubernetes/target.ts";
export type { StaticTarget } from "./static/target.ts";
export { parseTarget, type Target, type TargetOf, type TargetScheme, targetSchemes } from "./target.ts";
export type { XdsTarget } from "./xds/target.ts";
