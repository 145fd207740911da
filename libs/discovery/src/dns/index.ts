/**
 * The endpoints that DNS has for a name, looked up again and again.
 *
 * ```ts
 * import { createDnsPollSource } from "@grpc-lb/discovery/dns";
 *
 * const source = createDnsPollSource({ name: "server-headless", port: 50051 });
 * for await (const { endpoints, error } of source.watch()) {
 *   console.log(endpoints?.map(({ id }) => id), error?.message);
 * }
 * ```
 */
export type { FamilyRule } from "./reader.ts";
export { createDnsPollSource, type DnsPollSourceOptions } from "./source.ts";
