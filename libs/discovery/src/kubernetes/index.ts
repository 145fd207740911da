/**
 * The pods of a Kubernetes service, watched.
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
export type { ApiAccess, Credentials } from "./api-client.ts";
export { createKubeconfigAccess } from "./kubeconfig.ts";
export { serviceConfigAnnotation } from "./port-view.ts";
export { createServiceAccountAccess, isInCluster, type ServiceAccountOptions } from "./service-account.ts";
export { createKubernetesSource, type KubernetesSourceOptions } from "./source.ts";
