import { readFile } from "node:fs/promises";
import { DiscoveryError } from "../core/discovery-error.ts";
import type { Endpoint } from "../core/snapshot.ts";
import { AddressBook, type Addresses } from "./address-book.ts";
import { addressesInHosts } from "./hosts-file.ts";
import { NameServer, type NameServerOptions } from "./name-server.ts";
import { candidatesOf, parseSearchRules } from "./resolv-conf.ts";
import { chooseRecords, toEndpoint, toEndpoints } from "./service-endpoints.ts";

/** What to look up, and where the machine's own rules stand. */
export interface NameLookupOptions extends NameServerOptions {
  readonly name: string;
  /** A number, or the name of a service for SRV. */
  readonly port: number | string;
  readonly resolvConf: string;
  readonly hosts: string;
}

/** What one look has found. */
export type Look =
  | {
      readonly t: "found";
      /** At least one. */
      readonly endpoints: readonly Endpoint[];
      /** How long it may be believed; infinite where nobody says. */
      readonly ttlMs: number;
      readonly error: DiscoveryError | undefined;
    }
  /** There is nothing, as far as the name servers say so. */
  | { readonly t: "none"; readonly isNoName: boolean; readonly reason: DiscoveryError }
  /** It could not be found out. */
  | { readonly t: "failed"; readonly error: DiscoveryError };

/** How many targets of SRV records are asked for at once. */
const targetsAtOnce = 16;
/** A set that lacks a target is believed no longer than this. */
const whileMissingMs = 5_000;

/**
 * Looks a name up: in the hosts file (for an address, unless a certain server is to be asked), then in DNS, with the search
 * list. The first candidate that has something is it; one that cannot be asked ends the look, as an answer for a later one
 * might be another service's.
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
   * What the last look has found is believed: where a later one cannot ask for a family or a target, this stands in for it.
   * To be called before the next look, for a found set and for a confirmed "nothing".
   */
  believe(): void {
    this.#book.believe();
  }

  /** Must not be called while it goes on. When the signal is aborted it comes to an end soon, and what it says means nothing. */
  async look(signal: AbortSignal): Promise<Look> {
    const { name, port, server } = this.#options;
    this.#book.begin();
    if (typeof port === "number" && !server) {
      const addresses = addressesInHosts(await readText(this.#options.hosts), name);
      if (addresses.length > 0) {
        const endpoints = addresses.map((host) => toEndpoint(host, port));
        return { t: "found", endpoints, ttlMs: Number.POSITIVE_INFINITY, error: undefined };
      }
    }
    const candidates = candidatesOf(name, parseSearchRules(await readText(this.#options.resolvConf)));
    let isNoName = true;
    for (const candidate of candidates) {
      const look =
        typeof port === "number"
          ? toLook(await this.#book.find(candidate, signal), port)
          : await this.#lookForService(`_${port}._tcp.${candidate}`, signal);
      if (look.t !== "none") return look;
      isNoName &&= look.isNoName;
    }
    return { t: "none", isNoName, reason: this.#describeNone(candidates, isNoName) };
  }

  async #lookForService(name: string, signal: AbortSignal): Promise<Exclude<Look, { t: "none" }> | None> {
    const answer = await this.#server.services(name, signal);
    if (answer.t !== "records") return answer;
    const records = chooseRecords(answer.records);
    const targets = [...new Set(records.map(({ target }) => target))];
    const found = new Map<string, Addresses>();
    for (let n = 0; n < targets.length && !signal.aborted; n += targetsAtOnce) {
      const batch = targets.slice(n, n + targetsAtOnce);
      const addresses = await Promise.all(batch.map((target) => this.#book.find(target.replace(/\.$/, ""), signal)));
      for (const [i, target] of batch.entries()) found.set(target, addresses[i] as Addresses);
    }
    const hasWeights = records.some(({ weight }) => weight > 0);
    const endpoints = new Map<string, Endpoint>();
    let ttlMs = Number.POSITIVE_INFINITY;
    let error: DiscoveryError | undefined;
    for (const record of records) {
      const addresses = found.get(record.target);
      if (addresses?.t === "failed") {
        // Nothing is known of it, so a set without it takes no good endpoint away.
        error ??= addresses.error;
        ttlMs = Math.min(ttlMs, whileMissingMs);
      }
      if (addresses?.t !== "found") continue;
      for (const endpoint of toEndpoints(record, addresses, hasWeights)) endpoints.set(endpoint.id, endpoint);
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
    return new DiscoveryError("notFound", `dns-poll: ask for ${names}: ${why}`);
  }
}

type None = { readonly t: "none"; readonly isNoName: boolean };

function toLook(addresses: Addresses, port: number): Exclude<Look, { t: "none" }> | None {
  if (addresses.t !== "found") return addresses;
  const { A, AAAA, ttlMs, error } = addresses;
  return { t: "found", endpoints: [...A, ...AAAA].map((host) => toEndpoint(host, port)), ttlMs, error };
}

/** A file that is not there says nothing, as on a machine without it. */
async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch {
    return ""; // resolver(3) does the same
  }
}
