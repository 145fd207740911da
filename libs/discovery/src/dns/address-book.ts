import type { DiscoveryError } from "../core/discovery-error.ts";
import type { AddressRecord, Answer, Family, NameServer } from "./name-server.ts";

/** What is known of the addresses of a name. */
export type Addresses =
  | {
      readonly t: "found";
      readonly A: readonly string[];
      readonly AAAA: readonly string[];
      readonly ttlMs: number;
      /** Why one of the families could not be queried; its addresses are those of an earlier lookup. */
      readonly error: DiscoveryError | undefined;
    }
  | { readonly t: "none"; readonly isNoName: boolean }
  | { readonly t: "failed"; readonly error: DiscoveryError };

/**
 * The addresses of names, of both families. Many name servers fail for AAAA alone, and any query may fail once: a family that
 * cannot be queried keeps its addresses, and does not remove those of the other one.
 */
export class AddressBook {
  readonly #server: NameServer;
  /** By the last lookup that was confirmed. */
  #confirmed = new Map<string, readonly string[]>();
  /** By the lookup that is under way. */
  #current = new Map<string, readonly string[]>();

  constructor(server: NameServer) {
    this.#server = server;
  }

  /** Begins a lookup. What the last one found is forgotten unless it was confirmed. */
  begin(): void {
    this.#current = new Map();
  }

  /** From now on the results of this lookup, and nothing else, replace those of a query that fails. */
  confirm(): void {
    this.#confirmed = this.#current;
  }

  /** @param name complete, without the dot at its end */
  async find(name: string, signal: AbortSignal): Promise<Addresses> {
    const { A, AAAA } = await this.#server.addresses(name, signal);
    const error = A.t === "failed" ? A.error : AAAA.t === "failed" ? AAAA.error : undefined;
    const found = { A: this.#take(`A ${name}`, A), AAAA: this.#take(`AAAA ${name}`, AAAA) };
    if (found.A.length + found.AAAA.length > 0) {
      return { t: "found", ...found, ttlMs: Math.min(ttlOf(A), ttlOf(AAAA)), error };
    }
    if (error) return { t: "failed", error };
    return { t: "none", isNoName: [A, AAAA].every((answer) => answer.t === "none" && answer.isNoName) };
  }

  #take(key: `${Family} ${string}`, answer: Answer<AddressRecord>): readonly string[] {
    const known = answer.t === "failed" ? (this.#confirmed.get(key) ?? []) : addressesOf(answer);
    this.#current.set(key, known);
    return known;
  }
}

/** Sorted: name servers rotate the order with each answer. */
const addressesOf = (answer: Answer<AddressRecord>): readonly string[] =>
  answer.t === "records" ? [...new Set(answer.records.map(({ address }) => address))].sort() : [];

const ttlOf = (answer: Answer<AddressRecord>): number =>
  answer.t === "records"
    ? answer.records.reduce((least, { ttlMs }) => Math.min(least, ttlMs), Number.POSITIVE_INFINITY)
    : Number.POSITIVE_INFINITY;
