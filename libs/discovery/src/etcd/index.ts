/**
 * Instances in etcd: found by watching a service's keys, and registered with a lease that is kept alive.
 *
 * ```ts
 * import { createEtcdSource, registerInEtcd } from "@grpc-lb/discovery/etcd";
 *
 * const endpoints = ["127.0.0.1:2379"];
 * const instance = { service: "server", address: { host: "10.0.0.1", port: 80 }, weight: 3 };
 * const registration = registerInEtcd({ endpoints, instance });
 * for await (const snapshot of createEtcdSource({ endpoints, service: "server" }).watch()) {
 *   console.log(snapshot.endpoints?.map(({ id, weight }) => [id, weight]), snapshot.error?.message);
 *   if (snapshot.endpoints?.length === 1) break;
 * }
 * await registration.close();
 * ```
 */
export { type EtcdAccess, type EtcdCredentials, type EtcdTls, readEtcdEnvironment } from "./access.ts";
export type { LayoutName } from "./layouts.ts";
export { type EtcdRegistrationOptions, registerInEtcd } from "./registration.ts";
export { createEtcdSource, type EtcdSourceOptions } from "./source.ts";
