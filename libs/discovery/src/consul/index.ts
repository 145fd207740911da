/**
 * Watches the instances of a service in Consul.
 *
 * ```ts
 * import { createConsulSource } from "@grpc-lb/discovery/consul";
 *
 * const source = createConsulSource({ agent: { host: "127.0.0.1", port: 8500 }, service: "server" });
 * for await (const { endpoints, error } of source.watch()) {
 *   console.log(endpoints?.map(({ addresses }) => addresses[0]?.host), error?.message);
 * }
 * ```
 *
 * And registers an instance:
 *
 * ```ts
 * import { registerInConsul } from "@grpc-lb/discovery/consul";
 *
 * const agent = { host: "127.0.0.1", port: 8500 };
 * const instance = { service: "server", address: { host: "10.0.0.1", port: 50_051 } };
 * const registration = registerInConsul({ agent, instance });
 * await registration.registered;
 * await registration.close();
 * ```
 */
export { type ConsulCredentials, type ConsulTenancy, type ConsulTls, readConsulEnvironment } from "./access.ts";
export { type ConsulRegistrationOptions, registerInConsul } from "./registration.ts";
export type { ConsulCheck } from "./service-definition.ts";
export { type ConsulSourceOptions, createConsulSource } from "./source.ts";
