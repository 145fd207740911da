/**
 * What DNS says of a name, asked again and again.
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
export { createDnsPollSource, type DnsPollSource, type DnsPollSourceOptions } from "./source.ts";
