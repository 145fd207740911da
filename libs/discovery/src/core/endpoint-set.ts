import { isDeepStrictEqual } from "node:util";
import { formatAddress } from "./address.ts";
import type { Endpoint } from "./snapshot.ts";
import { SortedEndpoints } from "./sorted-endpoints.ts";

interface Entry {
  readonly endpoint: Endpoint;
  readonly isStandby: boolean;
  /** Larger for what was set later. */
  readonly serial: number;
}

/**
 * The endpoints of one service. Three rules hold, whatever a source puts in:
 *
 * - An endpoint that did not change stays the same object.
 * - One address is one endpoint. Of endpoints that share an address, one that takes traffic precedes a standby, one with more
 *   addresses precedes one with fewer, and the one that was set last precedes the others.
 * - A standby (an endpoint of weight 0, or one that drains) is used only while there is no other.
 *
 * The work of a change is that of the change, not of the set.
 */
export class EndpointSet {
  readonly #entries = new Map<string, Entry>();
  /** The ids of the endpoints that have an address. */
  readonly #idsAt = new Map<string, readonly string[]>();
  readonly #active = new SortedEndpoints();
  readonly #standby = new SortedEndpoints();
  /** The order of the last `replaceAll` that keeps it. */
  #ordered: readonly Endpoint[] | undefined;
  #serial = 0;

  /** The endpoints to use, by id; an array that is replaced when it changes, and never changed. */
  get all(): readonly Endpoint[] {
    if (this.#ordered) return this.#ordered;
    const active = this.#active.all;
    return active.length > 0 ? active : this.#standby.all;
  }

  /** How many were put in, those that share an address and standbys included. */
  get size(): number {
    return this.#entries.size;
  }

  get(id: string): Endpoint | undefined {
    return this.#entries.get(id)?.endpoint;
  }

  ids(): IterableIterator<string> {
    return this.#entries.keys();
  }

  /** Puts an endpoint in, or replaces the one of the same id. */
  set(endpoint: Endpoint, { isStandby = endpoint.weight === 0 }: { readonly isStandby?: boolean } = {}): void {
    const { id } = endpoint;
    const known = this.#entries.get(id);
    if (known && known.isStandby === isStandby && isDeepStrictEqual(known.endpoint, endpoint)) return;
    const rivals = known ? this.#withdraw(known) : new Set<string>();
    this.#entries.set(id, { endpoint, isStandby, serial: ++this.#serial });
    for (const address of endpoint.addresses) {
      const key = formatAddress(address);
      const others = this.#idsAt.get(key) ?? none;
      this.#idsAt.set(key, [...others, id]);
      for (const other of others) rivals.add(other);
    }
    if (rivals.size === 0) (isStandby ? this.#standby : this.#active).set(endpoint);
    else for (const rival of rivals.add(id)) this.#show(rival);
  }

  delete(id: string): void {
    const known = this.#entries.get(id);
    if (known) for (const rival of this.#withdraw(known)) this.#show(rival);
  }

  /**
   * Makes `endpoints` all there is.
   *
   * @param options.keepsOrder whether `all` has their order, not that of the ids; until the next `replaceAll`
   */
  replaceAll(endpoints: readonly Endpoint[], { keepsOrder = false }: { readonly keepsOrder?: boolean } = {}): void {
    const ids = new Set(endpoints.map(({ id }) => id));
    for (const id of [...this.#entries.keys()]) if (!ids.has(id)) this.delete(id);
    for (const endpoint of endpoints) this.set(endpoint);
    const before = this.#ordered;
    this.#ordered = undefined;
    if (!keepsOrder) return;
    const used = new Set(this.all);
    const ordered = [...ids].map((id) => this.get(id)).filter((each) => each !== undefined && used.has(each));
    const isSame = before?.length === ordered.length && before.every((each, n) => each === ordered[n]);
    this.#ordered = isSame ? before : (ordered as readonly Endpoint[]);
  }

  /** Takes an entry out. @returns the ids of those that share an address with it */
  #withdraw({ endpoint, isStandby }: Entry): Set<string> {
    const { id, addresses } = endpoint;
    const rivals = new Set<string>();
    this.#entries.delete(id);
    (isStandby ? this.#standby : this.#active).delete(id);
    for (const address of addresses) {
      const key = formatAddress(address);
      const others = (this.#idsAt.get(key) ?? none).filter((each) => each !== id);
      if (others.length > 0) this.#idsAt.set(key, others);
      else this.#idsAt.delete(key);
      for (const other of others) rivals.add(other);
    }
    return rivals;
  }

  /** Shows an endpoint, or hides it behind one that precedes it at one of its addresses. */
  #show(id: string): void {
    const entry = this.#entries.get(id);
    if (!entry) return;
    const rivals = entry.endpoint.addresses.flatMap((address) => this.#idsAt.get(formatAddress(address)) ?? none);
    const isPreceded = rivals.some((rival) => precedes(this.#entries.get(rival) as Entry, entry));
    const list = entry.isStandby ? this.#standby : this.#active;
    if (isPreceded) list.delete(id);
    else list.set(entry.endpoint);
  }
}

const none: readonly string[] = [];

function precedes(a: Entry, b: Entry): boolean {
  if (a.isStandby !== b.isStandby) return !a.isStandby;
  const more = a.endpoint.addresses.length - b.endpoint.addresses.length;
  return more > 0 || (more === 0 && a.serial > b.serial);
}
