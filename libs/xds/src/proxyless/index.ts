/**
 * gRPC's own xDS client for Node, @grpc/grpc-js-xds, with a fault worked around: a target `xds:///name` takes everything from the
 * control plane of the bootstrap file, listeners, routes and policies included.
 *
 * ```ts
 * import { credentials } from "@grpc/grpc-js";
 * import { registerProxyless } from "@grpc-lb/xds/proxyless";
 *
 * process.env.GRPC_XDS_BOOTSTRAP = "/etc/xds/bootstrap.json";
 * await registerProxyless();
 * const client = new PodServiceClient("xds:///server", credentials.createInsecure());
 * ```
 */
export { registerProxyless } from "./register.ts";
