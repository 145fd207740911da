import type { DiscoveryError } from "./discovery-error.ts";
import type { Address } from "./snapshot.ts";

/** An instance to register, in any registry. */
export interface Instance {
  readonly service: string;
  /** The address that clients connect to; not one such as 0.0.0.0. */
  readonly address: Address;
  /** What else clients get, such as `zone` or `podName`. Default: nothing. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** Its share relative to the others, a number from 0 to 2^32 - 1. Default: 1. */
  readonly weight?: number;
  /** How long the registry keeps an instance that is not refreshed, in milliseconds. Default: 10 s. */
  readonly ttlMs?: number;
}

/** Called with the state of a registration. */
export interface RegistrationHooks {
  /** Called with why the instance is not in the registry, once for each reason until it is registered again. Must not throw. */
  readonly onError?: (error: DiscoveryError) => void;
  /** Called when the instance is in the registry: for the first time, and after an `onError`. Must not throw. */
  readonly onRegistered?: () => void;
}

/** The state and the counts of a registration. */
export interface RegistrationStats {
  /** Whether the instance is in the registry, as far as is known. */
  readonly isRegistered: boolean;
  /** How often it was written: 1 if it was never lost. */
  readonly registrations: number;
  /** Why it is not in the registry; undefined if it is. */
  readonly error: string | undefined;
}

/** Keeps an instance in the registry, and registers it again whenever the registry loses it, until `close`. */
export interface Registration {
  /** The instance and the registry, for messages: `server at 10.0.0.1:80 in etcd 127.0.0.1:2379`. */
  readonly subject: string;
  /** Resolves when the instance is registered for the first time. Never rejects; stays pending if it is closed before. */
  readonly registered: Promise<void>;
  readonly stats: RegistrationStats;
  /**
   * Removes the instance from the registry, in at most the time after which the registry removes it by itself; then no socket
   * or timer is left. May be called twice. Does not throw: without an answer the instance ends with its TTL.
   */
  close(): Promise<void>;
}
