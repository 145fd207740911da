/**
 * Endpoints that are known beforehand.
 *
 * ```ts
 * import { createStaticSource } from "@grpc-lb/discovery/static";
 *
 * const source = createStaticSource({ endpoints: [{ address: { host: "10.0.0.1", port: 80 }, weight: 3 }] });
 * ```
 */
export { createStaticSource, type StaticSourceOptions } from "./source.ts";
