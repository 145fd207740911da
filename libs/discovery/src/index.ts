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
export { formatAddress, parseAddress } from "./address.ts";
export { DiscoveryError, type DiscoveryErrorCode } from "./discovery-error.ts";
export type { Address, Endpoint, Snapshot, Source } from "./snapshot.ts";
export type { SourceStats } from "./source-stats.ts";
export type { ConsulTarget } from "./target/consul.ts";
export type { DnsPollTarget } from "./target/dns-poll.ts";
export type { EtcdTarget } from "./target/etcd.ts";
export type { FileTarget } from "./target/file.ts";
export type { KubernetesTarget } from "./target/kubernetes.ts";
export type { StaticTarget } from "./target/static.ts";
export { parseTarget, type Target, type TargetOf, type TargetScheme, targetSchemes } from "./target.ts";
