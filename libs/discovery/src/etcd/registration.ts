import { type Context, checkOptions, completeContext, messageOf, type OptionRules, redactAddress } from "@grpc-lb/core";
import { formatAddress, parseAddress } from "../core/address.ts";
import type { Instance, Registration, RegistrationHooks, RegistrationStats } from "../core/registration.ts";
import { hookOptions, instanceRule } from "../core/registration-options.ts";
import { runWithRestarts } from "../core/run-with-restarts.ts";
import type { Address } from "../core/snapshot.ts";
import { isWeight, maxWeight } from "../core/weight.ts";
import type { EtcdAccess } from "./access.ts";
import { Cluster } from "./cluster.ts";
import { createLayout, type LayoutOptions } from "./layouts.ts";
import { LeasedKey } from "./leased-key.ts";
import { etcdOptions } from "./options.ts";

/** What to register, and where. */
export interface EtcdRegistrationOptions extends EtcdAccess, LayoutOptions, RegistrationHooks {
  /**
   * `ttlMs` is rounded up to whole seconds, and etcd may prolong it: with its default election timeout to 2 s. With the layouts
   * `key` and `value` metadata cannot be written, and a weight other than 1 is refused.
   */
  readonly instance: Instance;
}

const optionRules: OptionRules = { ...etcdOptions, ...hookOptions, instance: instanceRule };

const defaultTtlMs = 10_000;

/**
 * Registers an instance in etcd, 3.4 or newer, and registers it again whenever it is gone: after a lost lease, after a restart,
 * loss of data or freeze of etcd, or when its key was deleted. Another member is used when one fails. When the process dies, the
 * instance is gone after the TTL. A value that another process writes to the same key stays: it may be the successor at the same address.
 *
 * A registration does not keep the process alive, except during `close`, which takes 3 s at most.
 *
 * Needs the rights to read and write the key.
 *
 * @throws RangeError for options that are not valid, TypeError for those of another type or name; an etcd that cannot be reached is reported by `onError`
 */
export function registerInEtcd(options: EtcdRegistrationOptions): Registration {
  return registerInEtcdIn(options, {});
}

/** The same in any context. */
export function registerInEtcdIn(options: EtcdRegistrationOptions, context: Context): Registration {
  checkOptions("registerInEtcd", options, optionRules, ["endpoints", "instance"]);
  const { clock, random } = completeContext(context);
  const instance = validateInstance(options.instance);
  const { ttlMs = defaultTtlMs } = instance;
  if (!(ttlMs >= 1_000 && ttlMs <= 86_400_000)) throw new RangeError(`ttlMs must be from 1 s to a day, got ${ttlMs}`);
  const layout = createLayout(options);
  const { key, value } = layout.write(instance);
  const cluster = new Cluster(options, clock, random);
  const leased = new LeasedKey({
    cluster,
    key: `${layout.prefix(instance.service)}${key}`,
    value,
    ttlSeconds: Math.ceil(ttlMs / 1_000),
    clock,
  });
  const first = Promise.withResolvers<void>();
  const closing = new AbortController();
  let error: string | undefined;
  let isReported = false;

  const ended = runWithRestarts(
    {
      attempt: (onHealthy, signal) =>
        leased.hold(() => {
          if (!isReported) options.onRegistered?.();
          isReported = true;
          error = undefined;
          first.resolve();
          onHealthy();
        }, signal),
      onFailure: (cause) => {
        const failure = leased.describe(cause);
        if (failure.message !== error) options.onError?.(failure);
        error = failure.message;
        isReported = false;
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

function validateInstance(instance: Instance): Instance {
  let address: Address;
  try {
    address = parseAddress(formatAddress(instance.address)); // an IPv6 address in its one spelling
  } catch (cause) {
    throw new RangeError(`address ${messageOf(cause)}`, { cause });
  }
  const { weight = 1 } = instance;
  if (address.host === "0.0.0.0" || address.host === "::") {
    throw new RangeError(`address must be one that clients can reach, got "${redactAddress(instance.address.host)}"`);
  }
  if (!isWeight(weight)) throw new RangeError(`weight must be a number from 0 to ${maxWeight}, got ${weight}`);
  return { ...instance, address };
}
