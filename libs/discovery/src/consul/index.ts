/**
 * The instances of a service in Consul, watched.
 *
 * ```ts
 * import { createConsulSource } from "@grpc-lb/discovery/consul";
 *
 * const source = createConsulSource({ agent: { host: "127.0.0.1", port: 8500 }, service: "server" });
 * for await (const { endpoints, error } of source.watch()) {
 *   console.log(endpoints?.map(({ addresses }) => addresses[0]?.host), error?.message);
 * }
 * ```
 */
export { type ConsulCredentials, type ConsulTls, readConsulEnvironment } from "./access.ts";
export { type ConsulSource, type ConsulSourceOptions, createConsulSource } from "./source.ts";
