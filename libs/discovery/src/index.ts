/**
 * Where the backends are: one model for every source. A `Source` is watched and gives whole `Snapshot`s; `./kubernetes`,
 * `./etcd`, `./consul`, `./dns`, `./file` and `./static` have the sources.
 *
 * ```ts
 * import { parseTarget } from "@grpc-lb/discovery";
 *
 * parseTarget("kubernetes:///server.default:grpc"); // { t: "kubernetes", service: "server", namespace: "default", port: "grpc" }
 * parseTarget("dns-poll:///server.example:80"); // { t: "dns-poll", name: "server.example", port: 80, … }
 * ```
 */

export type { ConsulTarget } from "./consul/target.ts";
export { formatAddress, parseAddress } from "./core/address.ts";
export { attachEndpoint, type EndpointCarrier, endpointOf, targetOption } from "./core/attached-endpoint.ts";
export { DiscoveryError, type DiscoveryErrorCode } from "./core/discovery-error.ts";
export type { Address, Endpoint, Snapshot, Source } from "./core/snapshot.ts";
export type { SourceStats } from "./core/source-stats.ts";
export { maxWeight } from "./core/weight.ts";
export type { DnsPollTarget } from "./dns/target.ts";
export type { EtcdTarget } from "./etcd/target.ts";
export type { FileTarget } from "./file/target.ts";
export type { KubernetesTarget } from "./kubernetes/target.ts";
export type { StaticTarget } from "./static/target.ts";
export { parseTarget, type Target, type TargetOf, type TargetScheme, targetSchemes } from "./target.ts";
