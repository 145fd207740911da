import { type Clock, type Random, systemClock } from "@grpc-lb/core";
import { formatAddress } from "../core/address.ts";
import type { Instance, Registration, RegistrationHooks, RegistrationStats } from "../core/registration.ts";
import type { EtcdAccess } from "./access.ts";
import { Cluster } from "./cluster.ts";
import { type LayoutName, layoutOf, validateInstance, validateService } from "./layouts.ts";
import { LeasedKey } from "./leased-key.ts";
import { runTurns } from "./turns.ts";

/** What to register, and where. */
export interface EtcdRegistrationOptions extends EtcdAccess, RegistrationHooks {
  /** `ttlMs` counts in whole seconds, and etcd may make it longer: with its own defaults 2 s is the least. */
  readonly instance: Instance;
  /** Whose keys and values. Default: `endpoints`, those of etcd's Go client. */
  readonly layout?: LayoutName;
  readonly clock?: Clock;
  readonly random?: Random;
}

const defaultTtlMs = 10_000;

/**
 * Registers an instance in etcd, 3.4 or newer, and brings it back whenever it is gone: after a lost lease, a restarted, emptied
 * or frozen etcd, or when somebody deleted its key. Another member is asked when one fails. Who dies is gone after the TTL.
 * What another process writes to the same key stays, as it may be the successor at the same address.
 *
 * It does not keep the process alive, but for the time of its `close`, which takes 3 s at most: a process whose servers have
 * ended ends, and is taken out after the TTL.
 *
 * Needed rights: to read and write the key.
 *
 * @throws RangeError for options that cannot be; an etcd that cannot be reached is no error
 */
export function registerInEtcd(options: EtcdRegistrationOptions): Registration {
  const { clock = systemClock, random = Math.random } = options;
  const instance = validateInstance(options.instance);
  const { ttlMs = defaultTtlMs } = instance;
  if (!(ttlMs >= 1_000 && ttlMs <= 86_400_000)) throw new RangeError(`ttlMs must be from 1 s to a day, got ${ttlMs}`);
  const layout = layoutOf(options.layout);
  const { key, value } = layout.write(instance);
  const cluster = new Cluster(options, clock, random);
  const leased = new LeasedKey({
    cluster,
    key: `${layout.prefix(validateService(instance.service))}${key}`,
    value,
    ttlSeconds: Math.ceil(ttlMs / 1_000),
    clock,
  });
  const first = Promise.withResolvers<void>();
  const closing = new AbortController();
  let error: string | undefined;
  let isSaid = false;

  const ended = runTurns(
    {
      turn: (onBegun, signal) =>
        leased.hold(() => {
          if (!isSaid) options.onRegistered?.();
          isSaid = true;
          error = undefined;
          first.resolve();
          onBegun();
        }, signal),
      onFailure: (cause) => {
        const failure = leased.describe(cause);
        if (failure.message !== error) options.onError?.(failure);
        error = failure.message;
        isSaid = false;
        return failure;
      },
      clock,
      random,
    },
    closing.signal,
  );
  let closed: Promise<void> | undefined;
  const close = async () => {
    closing.abort();
    await ended;
    await leased.release();
    await cluster.close();
  };
  return {
    subject: `${instance.service} at ${formatAddress(instance.address)} in etcd ${cluster.name}`,
    registered: first.promise,
    get stats(): RegistrationStats {
      return { isRegistered: leased.isHeld, registrations: leased.writes, error };
    },
    close: () => (closed ??= close()),
  };
}
