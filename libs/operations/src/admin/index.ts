/**
 * A port for operators, apart from those of the service: metrics, probes, and what else is mounted on it.
 *
 * ```ts
 * import { createAdminServer, probeRoutes } from "@grpc-lb/operations/admin";
 *
 * const admin = await createAdminServer({ port: 9464, routes: [probeRoutes({ notReady: () => undefined })] });
 * await admin.close();
 * ```
 */
export { adminFlags, clientAdminFlags } from "./admin-flags.ts";
export { type AdminServer, type AdminServerOptions, createAdminServer } from "./admin-server.ts";
export { type EndpointsViews, endpointsRoutes } from "./debug/endpoints-routes.ts";
export { type ProbeOptions, probeRoutes } from "./probe-routes.ts";
export type { AdminAnswer, AdminRequest, AdminRoute, AdminRoutes } from "./routes.ts";
