import type { DiscoveryError } from "./discovery-error.ts";
import type { Address } from "./snapshot.ts";

/** What is registered, whatever the registry. */
export interface Instance {
  readonly service: string;
  /** Where clients reach it; not an address such as 0.0.0.0. */
  readonly address: Address;
  /** What else clients may know of it, such as `zone` or `podName`. Default: nothing. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** Its share relative to the others, a number from 0 to 2^32 - 1. Default: 1. */
  readonly weight?: number;
  /** How long the registry keeps an instance that says nothing, in milliseconds. Default: 10 s. */
  readonly ttlMs?: number;
}

/** Who is told of a registration. */
export interface RegistrationHooks {
  /** Called with what keeps an instance from the registry, once for each reason until it is registered again. Must not throw. */
  readonly onError?: (error: DiscoveryError) => void;
  /** Called when the registry has it: for the first time, and after an `onError`. Must not throw. */
  readonly onRegistered?: () => void;
}

/** What a registration has done. */
export interface RegistrationStats {
  /** Whether the registry has it, as far as is known. */
  readonly isRegistered: boolean;
  /** How often it was written: 1 when nothing went wrong. */
  readonly registrations: number;
  /** What keeps it from the registry now; undefined when nothing does. */
  readonly error: string | undefined;
}

/** An instance that is in the registry, and is brought back whenever the registry loses it, until `close`. */
export interface Registration {
  /** What is registered and where, in words fit for a message: `server at 10.0.0.1:80 in etcd 127.0.0.1:2379`. */
  readonly subject: string;
  /** Resolves when the registry has it for the first time; never rejects, and stays open when it is closed before. */
  readonly registered: Promise<void>;
  readonly stats: RegistrationStats;
  /**
   * Takes it out of the registry, in at most the time that is left until the registry does so by itself; then no socket or
   * timer is left. May be called twice, and does not throw: what could not be said ends with its TTL.
   */
  close(): Promise<void>;
}
