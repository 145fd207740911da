/**
 * Where the pods of a Kubernetes service are, watched.
 *
 * ```ts
 * import { createKubernetesSource } from "@grpc-lb/discovery/kubernetes";
 *
 * const source = createKubernetesSource({ service: "server", namespace: "default", port: "grpc" });
 * for await (const { endpoints, error } of source.watch()) {
 *   console.log(endpoints?.map(({ addresses }) => addresses[0]?.host), error?.message);
 * }
 * ```
 */
export type { ApiAccess, Credentials } from "./api.ts";
export { createKubeconfigAccess } from "./kubeconfig.ts";
export { createServiceAccountAccess, isInCluster } from "./service-account.ts";
export type { FeedStats } from "./service-feed.ts";
export type { ServiceAccess } from "./service-reader.ts";
export { serviceConfigAnnotation } from "./service-view.ts";
export { createKubernetesSource, type KubernetesSource, type KubernetesSourceOptions } from "./source.ts";
