import { Resolver } from "node:dns/promises";
import type { Clock } from "@grpc-lb/core";
import { formatAddress } from "../core/address.ts";
import type { DiscoveryError } from "../core/discovery-error.ts";
import type { Address } from "../core/snapshot.ts";
import { describeFailure } from "./dns-error.ts";

/** What a name server says to one question. */
export type Answer<T> =
  | { readonly t: "records"; readonly records: readonly T[] }
  /** There is no such name (NXDOMAIN), or it has no such records (RFC 2308 calls it NODATA). */
  | { readonly t: "none"; readonly isNoName: boolean }
  | { readonly t: "failed"; readonly error: DiscoveryError };

export interface AddressRecord {
  readonly address: string;
  readonly ttlMs: number;
}

/** RFC 2782. */
export interface ServiceRecord {
  readonly target: string;
  readonly port: number;
  readonly priority: number;
  readonly weight: number;
}

/** Whom to ask, and how long. */
export interface NameServerOptions {
  /** Undefined: those of the machine, in its order. */
  readonly server: Address | undefined;
  readonly timeoutMs: number;
  readonly clock: Clock;
}

export type Family = "A" | "AAAA";

/** c-ares asks each server in turn, and again after this time, doubled; the whole is ended by `timeoutMs`. */
const tries = { timeout: 1_500, tries: 3 };

/**
 * Asks a name server, by c-ares: truncated answers are asked for again over TCP, answers to other questions are dropped.
 * Each time with another socket and the machine's configuration as it is then, and never from a cache.
 */
export class NameServer {
  readonly #options: NameServerOptions;

  constructor(options: NameServerOptions) {
    this.#options = options;
  }

  /** @param name complete, without the dot at its end */
  addresses(name: string, signal: AbortSignal): Promise<Readonly<Record<Family, Answer<AddressRecord>>>> {
    return this.#ask(signal, async (resolver) => {
      const toRecords = (found: readonly { address: string; ttl: number }[]) =>
        found.map(({ address, ttl }) => ({ address, ttlMs: ttl * 1_000 }));
      const [A, AAAA] = await Promise.all([
        this.#answer(`A ${name}`, resolver.resolve4(name, { ttl: true }).then(toRecords)),
        this.#answer(`AAAA ${name}`, resolver.resolve6(name, { ttl: true }).then(toRecords)),
      ]);
      return { A, AAAA };
    });
  }

  /** @param name complete: `_grpc._tcp.server.example` */
  services(name: string, signal: AbortSignal): Promise<Answer<ServiceRecord>> {
    return this.#ask(signal, (resolver) => {
      const found = resolver
        .resolveSrv(name)
        .then((records) => records.map(({ name: target, ...rest }) => ({ target, ...rest })));
      return this.#answer(`SRV ${name}`, found);
    });
  }

  async #ask<T>(signal: AbortSignal, ask: (resolver: Resolver) => Promise<T>): Promise<T> {
    const { server, timeoutMs, clock } = this.#options;
    const resolver = new Resolver(tries);
    if (server) resolver.setServers([formatAddress(server)]);
    const answered = new AbortController();
    const late = clock.sleep(timeoutMs, AbortSignal.any([signal, answered.signal]), { background: true });
    void late.then(() => resolver.cancel());
    try {
      return await ask(resolver);
    } finally {
      answered.abort();
      await late;
    }
  }

  async #answer<T>(what: string, found: Promise<readonly T[]>): Promise<Answer<T>> {
    try {
      const records = await found;
      return records.length > 0 ? { t: "records", records } : { t: "none", isNoName: false };
    } catch (cause) {
      const { code } = cause as NodeJS.ErrnoException;
      // A name that the search list has made longer than 255 octets (RFC 1035, 2.3.4) is nobody's.
      if (code === "ENOTFOUND" || code === "EBADNAME") return { t: "none", isNoName: true };
      if (code === "ENODATA") return { t: "none", isNoName: false };
      return { t: "failed", error: describeFailure(cause, { what, ...this.#options }) };
    }
  }
}
