/**
 * The endpoints that a control plane of xDS has: EDS over ADS, one stream per control plane and process.
 *
 * ```ts
 * import { createXdsSource } from "@grpc-lb/discovery/xds";
 *
 * const source = createXdsSource({ controlPlane: { host: "127.0.0.1", port: 18_000 }, name: "server" });
 * for await (const { endpoints, error } of source.watch()) console.log(endpoints?.length, error?.message);
 * ```
 */
export type { XdsCredentials, XdsNode, XdsProtocol, XdsTls } from "@grpc-lb/xds/client";
export { createXdsSource, type XdsSourceOptions } from "./source.ts";
