/**
 * Where the backends are: one model for every source. A `Source` is watched and gives whole `Snapshot`s; `./kubernetes` has
 * the source for Kubernetes services.
 *
 * ```ts
 * import { parseTarget } from "@grpc-lb/discovery";
 *
 * parseTarget("kubernetes:///server.default:grpc"); // { t: "kubernetes", service: "server", namespace: "default", port: "grpc" }
 * ```
 */
export { DiscoveryError, type DiscoveryErrorCode } from "./discovery-error.ts";
export type { Address, Endpoint, Snapshot, Source } from "./snapshot.ts";
export { type KubernetesTarget, parseTarget, type Target } from "./target.ts";
