/** The server side of xDS: ADS in both of its protocols, load reports (LRS), and what clients have (CSDS). */
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
export type {
  ClusterLoadReport,
  EndpointLoadReport,
  LoadCounts,
  LoadServer,
  LoadServerOptions,
  LocalityLoadReport,
} from "./load.ts";
