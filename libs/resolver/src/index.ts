/**
 * `kubernetes:///service:port`, and every other target of discovery, for every client on grpc-js.
 *
 * ```ts
 * import { credentials } from "@grpc/grpc-js";
 * import { registerResolvers } from "@grpc-lb/resolver";
 *
 * registerResolvers();
 * const client = new PodServiceClient("kubernetes:///server.default:grpc", credentials.createInsecure());
 * ```
 */
export type { Endpoint, Source } from "@grpc-lb/discovery";
export {
  type ResolverEndMessage,
  type ResolverErrorMessage,
  resolverChannels,
  type SnapshotMessage,
} from "./diagnostics.ts";
export type { ResolvedEndpoint } from "./grpc-js.ts";
export type { CreateSource } from "./own-schemes.ts";
export { type ResolvedTargetStats, type Resolvers, type ResolversOptions, registerResolvers } from "./resolvers.ts";
export { type ParsedServiceConfig, parseServiceConfig } from "./service-config.ts";
export type { Warn } from "./warn.ts";
