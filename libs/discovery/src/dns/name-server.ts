import { Resolver } from "node:dns/promises";
import type { Clock } from "@grpc-lb/core";
import { formatAddress } from "../core/address.ts";
import type { DiscoveryError } from "../core/discovery-error.ts";
import type { Address } from "../core/snapshot.ts";
import { toDiscoveryError } from "./error.ts";

/** The answer to one query. */
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

/** Which name server to query, and for how long. */
export interface NameServerOptions {
  /** Default: those of the machine, in its order. */
  readonly server: Address | undefined;
  readonly timeoutMs: number;
  readonly clock: Clock;
}

export type Family = "A" | "AAAA";

/** c-ares tries each server in turn, and again after this time, doubled; `timeoutMs` ends the whole. */
const tries = { timeout: 1_500, tries: 3 };

/**
 * Queries name servers by c-ares, which repeats a truncated query over TCP and drops answers to other queries. Each query has
 * a socket of its own and the machine's configuration of that moment; nothing is cached.
 */
export class NameServer {
  readonly #options: NameServerOptions;

  constructor(options: NameServerOptions) {
    this.#options = options;
  }

  /** @param name complete, without the dot at its end */
  addresses(name: string, signal: AbortSignal): Promise<Readonly<Record<Family, Answer<AddressRecord>>>> {
    return this.#query(signal, async (resolver) => {
      const toRecords = (found: readonly { address: string; ttl: number }[]) =>
        found.map(({ address, ttl }) => ({ address, ttlMs: ttl * 1_000 }));
      const [A, AAAA] = await Promise.all([
        this.#answer(`A ${name}`, resolver, resolver.resolve4(name, { ttl: true }).then(toRecords)),
        this.#answer(`AAAA ${name}`, resolver, resolver.resolve6(name, { ttl: true }).then(toRecords)),
      ]);
      return { A, AAAA };
    });
  }

  /** @param name complete: `_grpc._tcp.server.example` */
  services(name: string, signal: AbortSignal): Promise<Answer<ServiceRecord>> {
    return this.#query(signal, (resolver) => {
      const found = resolver
        .resolveSrv(name)
        .then((records) => records.map(({ name: target, ...rest }) => ({ target, ...rest })));
      return this.#answer(`SRV ${name}`, resolver, found);
    });
  }

  async #query<T>(signal: AbortSignal, query: (resolver: Resolver) => Promise<T>): Promise<T> {
    const { server, timeoutMs, clock } = this.#options;
    const resolver = new Resolver(tries);
    if (server) resolver.setServers([formatAddress(server)]);
    const answered = new AbortController();
    const late = clock.sleep(timeoutMs, AbortSignal.any([signal, answered.signal]), { background: true });
    void late.then(() => resolver.cancel());
    try {
      return await query(resolver);
    } finally {
      answered.abort();
      await late;
    }
  }

  async #answer<T>(what: string, resolver: Resolver, found: Promise<readonly T[]>): Promise<Answer<T>> {
    try {
      const records = await found;
      return records.length > 0 ? { t: "records", records } : { t: "none", isNoName: false };
    } catch (cause) {
      const { code } = cause as NodeJS.ErrnoException;
      // EBADNAME: with the search list the name is longer than 255 octets (RFC 1035, section 2.3.4), so that it cannot exist.
      if (code === "ENOTFOUND" || code === "EBADNAME") return { t: "none", isNoName: true };
      if (code === "ENODATA") return { t: "none", isNoName: false };
      const { server, timeoutMs } = this.#options;
      const servers = server ? [formatAddress(server)] : resolver.getServers();
      return { t: "failed", error: toDiscoveryError(cause, { what, servers, timeoutMs }) };
    }
  }
}
