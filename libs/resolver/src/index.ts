/**
 * `kubernetes:///service:port` for every client on grpc-js.
 *
 * ```ts
 * import { credentials } from "@grpc/grpc-js";
 * import { registerKubernetesResolver } from "@grpc-lb/resolver";
 *
 * registerKubernetesResolver();
 * const client = new PodServiceClient("kubernetes:///server.default:grpc", credentials.createInsecure());
 * ```
 */
export { type ResolverMessage, resolverChannelName } from "./diagnostics.ts";
export type { ResolvedEndpoint } from "./grpc-js.ts";
export {
  type KubernetesResolver,
  type KubernetesResolverOptions,
  registerKubernetesResolver,
  type TargetStats,
} from "./kubernetes.ts";
export type { Warn } from "./warn.ts";
