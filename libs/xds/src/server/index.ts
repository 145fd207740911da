/**
 * The server side of xDS: ADS in both of its protocols, load reports (LRS), and what clients have (CSDS).
 *
 * ```ts
 * import { Server, ServerCredentials } from "@grpc/grpc-js";
 * import { SnapshotCache } from "@grpc-lb/xds/cache";
 * import { createAdsServer, serverOptions } from "@grpc-lb/xds/server";
 *
 * const cache = new SnapshotCache();
 * const ads = createAdsServer({ cache, onRejected: ({ client, message }) => console.warn(client.node.id, message) });
 * const server = new Server(serverOptions);
 * ads.addTo(server);
 * server.bindAsync("127.0.0.1:18000", ServerCredentials.createInsecure(), () => {});
 * ```
 */
export { createAdsServer } from "./ads-server.ts";
export type {
  AdsClientInfo,
  AdsClientStatus,
  AdsLimits,
  AdsRejection,
  AdsResourceStatus,
  AdsServer,
  AdsServerOptions,
  AdsStats,
} from "./api.ts";
export type { ClientNode } from "./client-node.ts";
export type {
  ClusterLoadReport,
  EndpointLoadReport,
  LoadCounts,
  LoadServer,
  LoadServerOptions,
  LocalityLoadReport,
} from "./load.ts";
export { createLoadServer } from "./load-server.ts";
export { serverOptions } from "./server-options.ts";
export { createStatusServer, type StatusServer, type StatusServerOptions } from "./status-server.ts";
