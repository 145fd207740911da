import { isIPv4, isIPv6 } from "node:net";
import { readTextFile } from "@grpc-lb/core";
import { DiscoveryError } from "../core/discovery-error.ts";
import type { Endpoint } from "../core/snapshot.ts";
import { AddressBook, type Addresses } from "./address-book.ts";
import { addressesInHosts, candidatesOf, parseSearchRules } from "./local-files.ts";
import { NameServer, type NameServerOptions } from "./name-server.ts";
import { chooseRecords, type FamilyRule, toAddressEndpoints, toServiceEndpoints } from "./reader.ts";

/** What to look up, and the files of the machine that have a say in it. */
export interface NameLookupOptions extends NameServerOptions {
  readonly name: string;
  /** A number, or the name of a service for SRV. */
  readonly port: number | string;
  readonly family: FamilyRule;
  readonly resolvConf: string;
  readonly hosts: string;
}

/** What one lookup has found. */
export type Lookup =
  | {
      readonly t: "found";
      /** At least one. */
      readonly endpoints: readonly Endpoint[];
      /** How long the answer is valid, in milliseconds; infinite for the hosts file. */
      readonly ttlMs: number;
      readonly error: DiscoveryError | undefined;
    }
  /** The name servers say that there is nothing. */
  | { readonly t: "none"; readonly isNoName: boolean; readonly reason: DiscoveryError }
  /** A query has failed. */
  | { readonly t: "failed"; readonly error: DiscoveryError };

/** How many targets of SRV records are looked up at once. */
const targetsAtOnce = 16;
/** A set that lacks a target is looked up again after this time. */
const whileMissingMs = 5_000;

/**
 * Looks a name up: in the hosts file (for addresses, unless the options name a server), then in DNS, with the search list. The
 * first candidate that has records is taken; a query that fails ends the lookup, because a later candidate might be another
 * service.
 */
export class NameLookup {
  readonly #options: NameLookupOptions;
  readonly #server: NameServer;
  readonly #book: AddressBook;

  constructor(options: NameLookupOptions) {
    this.#options = options;
    this.#server = new NameServer(options);
    this.#book = new AddressBook(this.#server);
  }

  /**
   * The last lookup is confirmed: when a later query for a family or a target fails, these results replace it. To be called
   * before the next lookup, for a set that was found and for a confirmed "nothing".
   */
  confirm(): void {
    this.#book.confirm();
  }

  /** Must not be called while a lookup is under way. Ends soon after the abort of the signal, with a result that means nothing. */
  async run(signal: AbortSignal): Promise<Lookup> {
    const { name, port, family, server } = this.#options;
    this.#book.begin();
    if (typeof port === "number" && !server) {
      const addresses = addressesInHosts(await readText(this.#options.hosts), name);
      const [A, AAAA] = [addresses.filter(isIPv4), addresses.filter(isIPv6)];
      if (addresses.length > 0) {
        const endpoints = toAddressEndpoints({ A, AAAA }, port, family);
        return { t: "found", endpoints, ttlMs: Number.POSITIVE_INFINITY, error: undefined };
      }
    }
    const candidates = candidatesOf(name, parseSearchRules(await readText(this.#options.resolvConf)));
    let isNoName = true;
    for (const candidate of candidates) {
      const found =
        typeof port === "number"
          ? toLookup(await this.#book.find(candidate, signal), port, family)
          : await this.#findService(`_${port}._tcp.${candidate}`, signal);
      if (found.t !== "none") return found;
      isNoName &&= found.isNoName;
    }
    return { t: "none", isNoName, reason: this.#describeNone(candidates, isNoName) };
  }

  async #findService(name: string, signal: AbortSignal): Promise<Exclude<Lookup, { t: "none" }> | None> {
    const answer = await this.#server.services(name, signal);
    if (answer.t !== "records") return answer;
    const { used, refused } = chooseRecords(answer.records);
    const targets = [...new Set(used.map(({ target }) => target))];
    const found = new Map<string, Addresses>();
    for (let n = 0; n < targets.length && !signal.aborted; n += targetsAtOnce) {
      const batch = targets.slice(n, n + targetsAtOnce);
      const addresses = await Promise.all(batch.map((target) => this.#book.find(target.replace(/\.$/, ""), signal)));
      for (const [i, target] of batch.entries()) found.set(target, addresses[i] as Addresses);
    }
    const options = { hasWeights: used.some(({ weight }) => weight > 0), rule: this.#options.family };
    const endpoints = new Map<string, Endpoint>(); // by id: two targets may share addresses
    let ttlMs = Number.POSITIVE_INFINITY;
    let error = describeRefused(name, refused.length);
    for (const record of used) {
      const addresses = found.get(record.target);
      if (addresses?.t === "failed") {
        // Nothing is known of this target, so a set without it removes no good endpoint.
        error ??= addresses.error;
        ttlMs = Math.min(ttlMs, whileMissingMs);
      }
      if (addresses?.t !== "found") continue;
      for (const endpoint of toServiceEndpoints(record, addresses, options)) endpoints.set(endpoint.id, endpoint);
      ttlMs = Math.min(ttlMs, addresses.ttlMs);
      error ??= addresses.error;
    }
    if (endpoints.size === 0) return error ? { t: "failed", error } : { t: "none", isNoName: false };
    return { t: "found", endpoints: [...endpoints.values()], ttlMs, error };
  }

  #describeNone(candidates: readonly string[], isNoName: boolean): DiscoveryError {
    const { port } = this.#options;
    const [records, prefix] = typeof port === "number" ? ["addresses", ""] : ["SRV records", `_${port}._tcp.`];
    const names = candidates.map((candidate) => `${prefix}${candidate}`).join(", ");
    const why = isNoName ? "NXDOMAIN: there is no such name" : `there are no ${records}`;
    return new DiscoveryError("notFound", `dns-poll: query ${names}: ${why}`);
  }
}

type None = { readonly t: "none"; readonly isNoName: boolean };

function toLookup(addresses: Addresses, port: number, rule: FamilyRule): Exclude<Lookup, { t: "none" }> | None {
  if (addresses.t !== "found") return addresses;
  const { ttlMs, error } = addresses;
  return { t: "found", endpoints: toAddressEndpoints(addresses, port, rule), ttlMs, error };
}

function describeRefused(name: string, count: number): DiscoveryError | undefined {
  if (count === 0) return undefined;
  const why = `${count} of the records cannot be used: a target is not a host name, or a port is 0`;
  return new DiscoveryError("invalid", `dns-poll: SRV ${name}: ${why}`);
}

/** A file that cannot be read is empty, as for resolver(3). */
async function readText(path: string): Promise<string> {
  try {
    return await readTextFile(path);
  } catch {
    return ""; // a machine without the file
  }
}
