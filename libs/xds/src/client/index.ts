/**
 * The client side of xDS: watchers of resources share one stream of ADS to a control plane.
 *
 * ```ts
 * import { AdsClient } from "@grpc-lb/xds/client";
 *
 * const client = new AdsClient({ host: "127.0.0.1", port: 18_000, node: { id: "client-1" } });
 * const unwatch = client.watch(endpoints, "server", {
 *   onResource: (value) => console.log(value),
 *   onMissing: () => console.log("the control plane has no such resource"),
 *   onError: (error) => console.log(error.message),
 *   onCurrent: () => {},
 * });
 * await client.attempt(() => {}, AbortSignal.timeout(60_000)); // one stream; see AdsClient
 * ```
 */
export { AdsClient, type AdsClientOptions, type XdsProtocol } from "./ads-client.ts";
export { readXdsEnvironment, type XdsEnvironment } from "./bootstrap.ts";
export type { XdsCredentials, XdsTls } from "./credentials.ts";
export { XdsError, type XdsErrorCode } from "./error.ts";
export type { XdsNode } from "./node.ts";
export type { DecodedResource, ResourceType, ResourceWatcher } from "./resource-type.ts";
