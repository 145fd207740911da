/**
 * What a control plane serves: resources that are encoded once, in consistent sets, one for each group of clients.
 *
 * ```ts
 * import { clusterResource, endpointsResource, SnapshotCache } from "@grpc-lb/xds/cache";
 *
 * const cache = new SnapshotCache();
 * const result = cache.setSnapshot("", [clusterResource(cluster), endpointsResource(assignment)]);
 * if ("error" in result) process.stderr.write(`${result.error}\n`);
 * ```
 */

export { typeUrls } from "../type-urls.ts";
export type { Reference } from "./references.ts";
export {
  clusterResource,
  createResource,
  endpointsResource,
  listenerResource,
  type Resource,
  routeResource,
} from "./resource.ts";
export type { ResourceChange } from "./snapshot.ts";
export {
  SnapshotCache,
  type SnapshotListener,
  type SnapshotOptions,
  type SnapshotResult,
  type SnapshotUpdate,
  type SnapshotView,
} from "./snapshot-cache.ts";
