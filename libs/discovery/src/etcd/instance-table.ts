import { isDeepStrictEqual } from "node:util";
import { formatAddress } from "../core/address.ts";
import type { Endpoint } from "../core/snapshot.ts";
import { SortedEndpoints } from "../core/sorted-endpoints.ts";

/**
 * The instances of a service by their keys, and the endpoints that they are: in the order of the keys, and each address once,
 * as whoever registered it last said. A change costs the work of that change.
 */
export class InstanceTable {
  readonly #instances = new Map<string, Endpoint>();
  /** The keys that name an address, in the order in which they came. */
  readonly #keysOf = new Map<string, string[]>();
  readonly #sorted = new SortedEndpoints();

  /** Replaced when it changes, and never changed itself. */
  get endpoints(): readonly Endpoint[] {
    return this.#sorted.all;
  }

  /** How many keys there are; more than endpoints where several name the same address. */
  get size(): number {
    return this.#instances.size;
  }

  keys(): IterableIterator<string> {
    return this.#instances.keys();
  }

  has(key: string): boolean {
    return this.#instances.has(key);
  }

  /** The endpoint's id is its key. One that says nothing new stays the same object. */
  set(endpoint: Endpoint): void {
    const key = endpoint.id;
    const before = this.#instances.get(key);
    if (before && isDeepStrictEqual(before, endpoint)) return;
    if (before) this.#unshow(before);
    const address = addressOf(endpoint);
    const keys = this.#keysOf.get(address) ?? [];
    const shown = keys.at(-1);
    if (shown !== undefined) this.#sorted.delete(shown);
    this.#keysOf.set(address, [...keys, key]);
    this.#instances.set(key, endpoint);
    this.#sorted.set(endpoint);
  }

  delete(key: string): void {
    const endpoint = this.#instances.get(key);
    if (endpoint) this.#unshow(endpoint);
  }

  #unshow(endpoint: Endpoint): void {
    const address = addressOf(endpoint);
    const keys = this.#keysOf.get(address)?.filter((key) => key !== endpoint.id) ?? [];
    this.#instances.delete(endpoint.id);
    this.#sorted.delete(endpoint.id);
    const last = keys.at(-1); // may be "": the key that is the prefix itself
    const next = last === undefined ? undefined : this.#instances.get(last);
    if (next) {
      this.#keysOf.set(address, keys);
      this.#sorted.set(next);
    } else {
      this.#keysOf.delete(address);
    }
  }
}

function addressOf({ addresses: [first] }: Endpoint): string {
  return first ? formatAddress(first) : "";
}
