import type { DiscoveryError } from "../core/discovery-error.ts";
import type { AddressRecord, Answer, Family, NameServer } from "./name-server.ts";

/** What is known of the addresses of a name. */
export type Addresses =
  | {
      readonly t: "found";
      readonly A: readonly string[];
      readonly AAAA: readonly string[];
      readonly ttlMs: number;
      /** What kept one of the families from being asked; what is known of it is older. */
      readonly error: DiscoveryError | undefined;
    }
  | { readonly t: "none"; readonly isNoName: boolean }
  | { readonly t: "failed"; readonly error: DiscoveryError };

/**
 * The addresses of names, both families. Many name servers fail for AAAA alone, and any may fail for once: a family that
 * cannot be asked keeps what it had, and does not take away the other one.
 */
export class AddressBook {
  readonly #server: NameServer;
  /** By the last look that was believed. */
  #known = new Map<string, readonly string[]>();
  /** By the look that goes on. */
  #now = new Map<string, readonly string[]>();

  constructor(server: NameServer) {
    this.#server = server;
  }

  /** A look begins; what the one before has found is forgotten, unless it was believed. */
  begin(): void {
    this.#now = new Map();
  }

  /** The look is believed: what it has found is known from now on, and nothing else. */
  believe(): void {
    this.#known = this.#now;
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
    const known = answer.t === "failed" ? (this.#known.get(key) ?? []) : addressesOf(answer);
    this.#now.set(key, known);
    return known;
  }
}

/** In an order of their own: name servers turn theirs round with each answer. */
const addressesOf = (answer: Answer<AddressRecord>): readonly string[] =>
  answer.t === "records" ? [...new Set(answer.records.map(({ address }) => address))].sort() : [];

const ttlOf = (answer: Answer<AddressRecord>): number =>
  answer.t === "records" ? Math.min(...answer.records.map(({ ttlMs }) => ttlMs)) : Number.POSITIVE_INFINITY;
