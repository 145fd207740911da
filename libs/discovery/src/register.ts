import { checkOptions } from "@grpc-lb/core";
import { formatAddress } from "./core/address.ts";
import { loadOptional } from "./core/optional-package.ts";
import type { Instance, Registration, RegistrationHooks } from "./core/registration.ts";
import { hookOptions, ownInstanceRule } from "./core/registration-options.ts";
import { keepProcessAlive } from "./core/watch-snapshots.ts";
import { parseRegistrationTarget, type RegistrationTarget } from "./registration-target.ts";

export { parseAddress } from "./core/address.ts";
export type { Instance, Registration, RegistrationHooks, RegistrationStats } from "./core/registration.ts";
export type { Address } from "./core/snapshot.ts";
export {
  type ConsulRegistrationTarget,
  type EtcdRegistrationTarget,
  parseRegistrationTarget,
  type RegistrationTarget,
} from "./registration-target.ts";

/** What is registered, but for what the target says. */
export type OwnInstance = Omit<Instance, "service" | "ttlMs">;

/**
 * Registers an instance in etcd or Consul, and keeps it registered until `close`: see `Registration`. It keeps the process alive
 * until it is registered for the first time or closed, and then no more. Only the client of the registry that is named is
 * loaded. Who registers, and how safely, stands in files or the environment: see `./etcd` and
 * `./consul`.
 *
 * ```ts
 * const registration = await register("etcd://127.0.0.1:2379/server?ttl=5s", { address: { host: "10.0.0.1", port: 80 } });
 * await registration.registered;
 * await registration.close();
 * ```
 *
 * @throws RangeError for a target or an instance that cannot be, TypeError for what has another type or name, Error when grpc-js is not installed, which etcd needs; a registry
 *   that cannot be reached is no error
 */
export async function register(
  target: string | RegistrationTarget,
  instance: OwnInstance,
  hooks: RegistrationHooks = {},
): Promise<Registration> {
  checkOptions("register", { instance, hooks }, { instance: ownInstanceRule, hooks: { options: hookOptions } }, [
    "instance",
  ]);
  const parsed = typeof target === "object" && target !== null ? target : parseRegistrationTarget(target);
  const { service, ttlMs } = parsed;
  const whole: Instance = { ...instance, service, ...(ttlMs !== undefined && { ttlMs }) };
  if (parsed.t === "etcd") {
    const { registerInEtcd } = await loadOptional("@grpc-lb/discovery/registration", () => import("./etcd/index.ts"));
    const endpoints = parsed.members.map(formatAddress);
    return holdUntilRegistered(
      registerInEtcd({ endpoints, layout: parsed.layout, namespace: parsed.namespace, instance: whole, ...hooks }),
    );
  }
  const { registerInConsul } = await import("./consul/index.ts");
  const { agent, tags, check, namespace, partition } = parsed;
  const where = { agent, namespace, partition };
  return holdUntilRegistered(registerInConsul({ ...where, tags, check: { t: check }, instance: whole, ...hooks }));
}

/** A registration works in the background: a program that waits for `registered`, and has nothing else to do, would end. */
function holdUntilRegistered(registration: Registration): Registration {
  const letGo = keepProcessAlive();
  void registration.registered.then(letGo);
  return {
    subject: registration.subject,
    registered: registration.registered,
    get stats() {
      return registration.stats;
    },
    close: () => registration.close().finally(letGo),
  };
}
