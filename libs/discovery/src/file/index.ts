/**
 * The endpoints of a file, JSON or YAML, which is watched.
 *
 * ```ts
 * import { createFileSource } from "@grpc-lb/discovery/file";
 *
 * const source = createFileSource({ path: "/etc/endpoints.yaml" }); // - { address: "10.0.0.1:80", weight: 3 }
 * for await (const { endpoints, error } of source.watch()) {
 *   console.log(endpoints?.map(({ id }) => id), error?.message);
 * }
 * ```
 */
export { createFileSource, type FileSourceOptions } from "./source.ts";
